# SPDX-License-Identifier: Apache-2.0
"""Every client pulls through Fairlead from every kind of upstream, and pulls again from the cache."""

import pytest

from testbed import clients
from testbed.fairlead import Fairlead

PATH = "upstream.test/team/app"

every_client = pytest.mark.parametrize("client", clients.ALL, indirect=True)


def fetched_blobs(registry):
    """The digests of the blobs the upstream gave out; challenges are no gifts."""
    return [request.target.rsplit("/", 1)[1] for request in registry.requests("GET", "/blobs/")
            if request.status != 401]


def fetched_manifests(registry):
    return [request.target for request in registry.requests("GET", "/manifests/")
            if request.status != 401]


def pull_twice(client, fairlead, upstream, image, reference):
    """A cold and a hot pull; the hot one may not fetch any blob, nor anything a second time."""
    upstream.registry.forget()
    assert image.digest in client.pull(fairlead.host, PATH, reference)
    fetched = fetched_blobs(upstream.registry)
    assert len(fetched) == len(set(fetched)), "a blob was fetched twice"
    cold = fetched_manifests(upstream.registry)

    upstream.registry.forget()
    assert image.digest in client.pull(fairlead.host, PATH, reference)
    assert fetched_blobs(upstream.registry) == []
    # dockerd keeps manifests of images that it removed for a while, so its first pull may not
    # have asked for them.
    assert not set(cold) & set(fetched_manifests(upstream.registry)), "a manifest was fetched twice"
    return fetched


@every_client
@pytest.mark.parametrize("upstream", ["open", "htpasswd", "token", "tls", "s3"], indirect=True)
def test_pull_multi_arch_by_tag(client, upstream, pushed):
    with Fairlead(upstream.config()) as fairlead:
        fetched = pull_twice(client, fairlead, upstream, pushed.multi_arch, "1.0")
        host_image = pushed.multi_arch.children[0]
        assert {blob.digest for blob in host_image.blobs} <= set(fetched)
        assert {record.status for record in fairlead.records(method="GET")} <= {200, 206}

    if upstream.tokens:
        assert {(request.user, request.scopes) for request in upstream.tokens.requests} == {
            ("robot", (f"repository:{pushed.repository}:pull",))}
        assert len(upstream.tokens.requests) <= 2, "tokens are not kept"


@every_client
def test_pull_multi_arch_by_digest(client, upstream, pushed):
    with Fairlead(upstream.config()) as fairlead:
        pull_twice(client, fairlead, upstream, pushed.multi_arch, pushed.multi_arch.digest)


@every_client
def test_pull_schema2_by_tag_and_digest(client, upstream, pushed):
    with Fairlead(upstream.config()) as fairlead:
        pull_twice(client, fairlead, upstream, pushed.docker, "schema2")
        upstream.registry.forget()
        assert pushed.docker.digest in client.pull(fairlead.host, PATH, pushed.docker.digest)
        assert upstream.registry.requests("GET", "/(blobs|manifests)/") == []


@pytest.mark.parametrize("client", ["containerd", "podman", "skopeo"], indirect=True)
def test_pull_zstd_and_uncompressed_layers(client, upstream, pushed):
    with Fairlead(upstream.config()) as fairlead:
        pull_twice(client, fairlead, upstream, pushed.zstd, "zstd")


def test_what_one_client_pulled_all_others_have(all_clients, upstream, pushed):
    with Fairlead(upstream.config()) as fairlead:
        all_clients["skopeo"].pull(fairlead.host, PATH, "1.0")
        upstream.registry.forget()
        for name in ("containerd", "docker", "podman", "buildah"):
            assert pushed.multi_arch.digest in all_clients[name].pull(fairlead.host, PATH, "1.0")
        assert upstream.registry.requests("GET", "/(blobs|manifests)/") == []


def test_pulled_image_runs(all_clients, upstream, pushed):
    docker = all_clients["docker"]
    with Fairlead(upstream.config()) as fairlead:
        docker.pull(fairlead.host, PATH, "1.0")
        said = docker.run("run", "--rm", "--network=none", f"{fairlead.host}/{PATH}:1.0")
        assert said == "hello\n"


def test_no_client_reaches_the_upstream_itself(all_clients, upstream):
    with Fairlead(upstream.config()) as fairlead:
        for name in clients.ALL:
            all_clients[name].pull(fairlead.host, PATH, "1.0")
        agents = {request.user_agent for request in upstream.registry.requests()}
        assert all(agent.startswith("fairlead") for agent in agents), agents
