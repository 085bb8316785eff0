# SPDX-License-Identifier: Apache-2.0
"""Every client pulls through two gateways that share a bucket: the second has nothing but that."""

import pytest
from testbed import clients, stored
from testbed.fairlead import Fairlead
from testbed.passwords import htpasswd

NAME, PATH = "upstream.test", "upstream.test/team/app"
ALICE = ("alice", "alice's: pass word")

every_client = pytest.mark.parametrize("client", clients.ALL, indirect=True)
both_ways = pytest.mark.parametrize("deliver", ["stream", "redirect"])


def caching(upstream, bucket, deliver, **more):
    config = upstream.config(cache={"s3": bucket.settings()}, **more)
    config["registries"][NAME]["deliver"] = deliver
    return Fairlead(config)


def fetched(registry):
    return [request.target for request in registry.requests("GET", "/(blobs|manifests)/")]


def blob_answers(gateway):
    return {record.status for record in gateway.records(method="GET") if "/blobs/" in record.target}


@every_client
@both_ways
def test_a_second_gateway_has_what_the_first_one_pulled(
        client, upstream, pushed, cache_bucket, deliver):
    with caching(upstream, cache_bucket, deliver) as first:
        assert pushed.multi_arch.digest in client.pull(first.host, PATH, "1.0")
        first.wait_until_idle()
        pulled = set(stored.files(first.cache_directory))
        assert pulled
        cache_bucket.wait_for(*pulled)
        upstream.registry.forget()
        with caching(upstream, cache_bucket, deliver) as second:
            with cache_bucket.asked("GET", "/blobs/", 200) as gets:
                assert pushed.multi_arch.digest in client.pull(second.host, PATH, "1.0")
            assert [target for target in fetched(upstream.registry) if "/blobs/" in target] == []
            answers = blob_answers(second)
        # With redirects, those who came for blobs to the bucket are the clients themselves.
        by_us = [request for request in gets if request.user_agent.startswith("fairlead")]
        if deliver == "redirect":
            assert answers == {307}
            assert len(gets) > len(by_us)
        else:
            assert answers <= {200, 206}
            assert gets == by_us != []


@both_ways
def test_all_clients_share_what_one_pulled(all_clients, upstream, pushed, cache_bucket, deliver):
    with caching(upstream, cache_bucket, deliver) as first:
        all_clients["skopeo"].pull(first.host, PATH, "1.0")
        first.wait_until_idle()
        cache_bucket.wait_for(*stored.files(first.cache_directory))
    upstream.registry.forget()
    with caching(upstream, cache_bucket, deliver) as second:
        for name, client in [(name, all_clients[name]) for name in clients.ALL]:
            assert pushed.multi_arch.digest in client.pull(second.host, PATH, "1.0"), name
    assert [target for target in fetched(upstream.registry) if "/blobs/" in target] == []


def test_a_redirected_image_runs(all_clients, upstream, pushed, cache_bucket):
    docker = all_clients["docker"]
    with caching(upstream, cache_bucket, "redirect") as gateway:
        all_clients["skopeo"].pull(gateway.host, PATH, "1.0")
        gateway.wait_until_idle()
        cache_bucket.wait_for(*stored.files(gateway.cache_directory))
        docker.pull(gateway.host, PATH, "1.0")
        assert gateway.records(outcome="redirect")
        said = docker.run("run", "--rm", "--network=none", f"{gateway.host}/{PATH}:1.0")
        assert said == "hello\n"


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_a_client_that_is_logged_in(client, upstream, pushed, cache_bucket, tmp_path):
    """What it logs in with stays with the gateway; S3 would refuse it beside a signature."""
    users = htpasswd(tmp_path / "htpasswd", dict([ALICE]))
    auth = {"users": str(users), "anonymous": []}
    with caching(upstream, cache_bucket, "redirect", auth=auth) as gateway:
        for _ in range(2):
            host = f"localhost:{gateway.port}"
            assert client.pull(host, PATH, "1.0", "--src-creds", ":".join(ALICE)) == {
                pushed.multi_arch.digest}
            gateway.wait_until_idle()
            cache_bucket.wait_for(*stored.files(gateway.cache_directory))
        assert gateway.records(outcome="redirect")
        with pytest.raises(AssertionError):
            client.pull(gateway.host, PATH, "1.0")
