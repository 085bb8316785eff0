# SPDX-License-Identifier: Apache-2.0
"""Every client pulls, and every byte of a blob comes from the bucket: with the registry beside it,
with the registry away, and with the bucket alone."""

import pytest
from testbed import clients
from testbed.bucket import NAME, Watch, bucket, configuration, host, keys
from testbed.fairlead import Fairlead
from testbed.logins import ALL, BASIC
from testbed.passwords import htpasswd
from testbed.registry import Registry, s3_storage

PATH = f"{NAME}/team/app"
ALICE = ("alice", "alice's: pass word")

every_client = pytest.mark.parametrize("client", clients.ALL, indirect=True)


@pytest.fixture(scope="module")
def registry(upstreams, rgw):
    """A docker-registry on RGW that nobody else uses."""
    assert upstreams["s3"]      # the bucket is filled
    with Registry(s3_storage(rgw.endpoint, "registry", rgw.access_key, rgw.secret_key)) as running:
        yield running


@pytest.fixture(params=["registry running", "registry stopped", "bucket alone"])
def gateway(request, registry, rgw):
    url = {} if request.param == "bucket alone" else {"url": registry.url}
    config = configuration(bucket(rgw, "registry"), registry=url)
    registry.forget()
    if request.param == "registry stopped":
        registry.stop()
    with Fairlead(config, env=keys(rgw)) as running:
        yield running
    if request.param == "registry stopped":
        registry.start()
    elif request.param == "registry running":
        assert registry.requests("GET", "/(blobs|manifests)/") == []


def blobs_of(*images):
    return {blob.digest for image in images for blob in image.blobs}


def assert_bytes_came_from_the_bucket(gateway, watch, some, of):
    """The clients got at least the blobs `some` there, and none that is not one of `of`."""
    fetched = watch.by_clients("GET", "/data$")
    assert {access.status for access in fetched} <= {200, 206}
    assert some <= {access.digest for access in fetched} <= of
    assert {access.method for access in watch.by_fairlead() if access.digest in of} <= {"HEAD"}
    assert {access.method for access in watch.by_fairlead()} <= {"GET", "HEAD"}

    records = gateway.wait_for_records(len(some), method="GET", status=307)
    assert all("/blobs/" in record.target for record in records)
    assert {(record.outcome, record.bytes or 0) for record in records} == {("redirect", 0)}
    assert {record.status for record in gateway.records(method="GET")
            if "/blobs/" in record.target} == {307}


@every_client
def test_every_byte_of_a_blob_comes_from_the_bucket(client, gateway, pushed, rgw):
    watch = Watch(rgw)
    name = host(gateway)
    assert pushed.multi_arch.digest in client.pull(name, PATH, "1.0")
    assert pushed.multi_arch.digest in client.pull(name, PATH, pushed.multi_arch.digest)
    assert pushed.docker.digest in client.pull(name, PATH, "schema2")
    assert_bytes_came_from_the_bucket(
        gateway, watch, blobs_of(pushed.multi_arch.children[0], pushed.docker),
        blobs_of(*pushed.multi_arch.children, pushed.docker))


def test_a_copy_is_equal_byte_by_byte(all_clients, gateway, pushed):
    copy = all_clients["skopeo"].copy(f"{host(gateway)}/{PATH}:1.0", "--src-tls-verify=false")
    assert (copy / "manifest.json").read_bytes() == pushed.multi_arch.manifest
    for child in pushed.multi_arch.children:
        found = copy / f"{child.digest.split(':')[1]}.manifest.json"
        assert found.read_bytes() == child.manifest
        for blob in child.blobs:
            assert (copy / blob.digest.split(":")[1]).read_bytes() == blob.data


@pytest.mark.parametrize("way", (ALL | BASIC).values(), ids=(ALL | BASIC).keys())
def test_who_is_logged_in_is_redirected_as_well(way, all_clients, registry, pushed, rgw, tmp_path):
    """Their Authorization header stays here, or RGW would refuse them."""
    users = htpasswd(tmp_path / "htpasswd", dict([ALICE]))
    config = configuration(bucket(rgw, "registry"), auth={"users": str(users), "anonymous": []})
    with Fairlead(config, env=keys(rgw)) as gateway:
        watch = Watch(rgw)
        found = way.pull(all_clients, host(gateway), PATH, "1.0", *ALICE)
        assert pushed.multi_arch.digest in found
        assert_bytes_came_from_the_bucket(
            gateway, watch, blobs_of(pushed.multi_arch.children[0]),
            blobs_of(*pushed.multi_arch.children))


@every_client
def test_manifests_may_be_redirected_too(client, registry, pushed, rgw):
    config = configuration(bucket(rgw, "registry"), registry={
        "deliver": {"blobs": "redirect", "manifests": "redirect"}})
    with Fairlead(config, env=keys(rgw)) as gateway:
        watch = Watch(rgw)
        assert pushed.multi_arch.digest in client.pull(host(gateway), PATH, "1.0")
        assert pushed.docker.digest in client.pull(host(gateway), PATH, "schema2")
        assert pushed.docker.digest in {access.digest for access in watch.by_clients("GET")}
        assert {record.status for record in gateway.records(method="GET")
                if "/manifests/" in record.target} <= {307, 304}


def test_a_pulled_image_runs(all_clients, registry, rgw):
    docker = all_clients["docker"]
    with Fairlead(configuration(bucket(rgw, "registry")), env=keys(rgw)) as gateway:
        docker.pull(host(gateway), PATH, "1.0")
        assert docker.run("run", "--rm", "--network=none", f"{host(gateway)}/{PATH}:1.0") == "hello\n"
