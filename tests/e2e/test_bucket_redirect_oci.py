# SPDX-License-Identifier: Apache-2.0
"""zot's bucket: the layout that it has in all its forms, read without zot; and zot itself."""

import json
from types import SimpleNamespace

import pytest
from testbed import images, oci_bucket, zot
from testbed.bucket import (
    NAME,
    Watch,
    assert_gets,
    assert_no_location,
    assert_redirected,
    bucket,
    configuration,
    host,
    keys,
    s3_client,
)
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.oci_bucket import marked, put_image, put_store
from testbed.redirecting import ABSENT, ask
from testbed.token_client import ACCEPT, blob, manifest
from testbed.zot import ANYBODY, Zot

BUCKET = "zot-alone"
EMPTY = images.Blob(b"")
FIRST, SECOND = "team/app", "second/app"
NEAR = "127.0.7.1"      # gets bytes from the gateway
ROOTS = {"whole": "whole", "deduplicated": "older/data", "with a store": "newer",
         "with a store alone": "newest"}


@pytest.fixture(scope="module")
def held(rgw):
    """The same two repositories four times, as zot without dedupe and three ages of it with dedupe
    keep them."""
    s3 = s3_client(rgw)
    s3.create_bucket(Bucket=BUCKET)
    found = SimpleNamespace(
        s3=s3, image=images.image([images.busybox_layer(), images.noise_layer("zot", 50_000)]),
        other=images.image([images.noise_layer("of another", 30_000)]))
    found.index = images.index([found.image, images.image([images.noise_layer("arm", 3_000)], "arm64")])
    found.layer, found.hidden = found.image.blobs[2], found.other.blobs[1]
    for kind, root in ROOTS.items():
        first = {"with a store": marked, "with a store alone": lambda _: None}.get(kind, oci_bucket.whole)
        second = {"deduplicated": marked}.get(kind, first)
        put_image(s3, BUCKET, root, FIRST, found.index, "1.0", "latest", blobs=first)
        put_image(s3, BUCKET, root, SECOND, found.index, "1.0", blobs=second)
        put_image(s3, BUCKET, root, "other/app", found.other, "1", blobs=first)
        if kind.startswith("with a store"):
            put_store(s3, BUCKET, root, found.index, found.other)
    return found


@pytest.fixture(scope="module", params=["whole", "deduplicated", "with a store"])
def gateway(request, rgw, held):
    settings = bucket(rgw, BUCKET, "oci", f"/{ROOTS[request.param]}")
    config = configuration(settings, registry={"stream_to": [f"{NEAR}/32"]})
    with Fairlead(config, env=keys(rgw)) as running:
        running.kind = request.param
        yield running


def targets(repository, image):
    return [manifest(repository, image.digest), *(blob(repository, each.digest) for each in image.blobs)]


def test_manifests(gateway, held):
    for repository in (FIRST, SECOND):
        for reference, content in (("1.0", held.index), (held.index.digest, held.index),
                                   (held.image.digest, held.image)):
            for method in ("GET", "HEAD"):
                answer = ask(gateway, manifest(repository, reference), method, Accept=ACCEPT)
                assert answer.status == 200
                assert answer.headers["Content-Type"] == content.media_type
                assert answer.headers["Docker-Content-Digest"] == content.digest
                assert answer.headers["Content-Length"] == str(len(content.manifest))
            assert ask(gateway, manifest(repository, reference), Accept=ACCEPT).digest == content.digest
    assert_error(ask(gateway, manifest(FIRST, "absent")), 404, "MANIFEST_UNKNOWN")
    assert_error(ask(gateway, manifest(FIRST, ABSENT)), 404, "MANIFEST_UNKNOWN")


def test_blobs_of_both_repositories(gateway, held, rgw):
    """In the second one too, which may have nothing but an empty object."""
    for repository in (SECOND, FIRST):
        for each in held.image.blobs:
            answer = ask(gateway, blob(repository, each.digest), "HEAD")
            assert (answer.status, answer.headers["Content-Length"]) == (200, str(each.size))
            location = assert_redirected(ask(gateway, blob(repository, each.digest)), each.digest)
            assert location.startswith(f"{rgw.endpoint}/{BUCKET}/{ROOTS[gateway.kind]}/")
            assert_gets(location, each)


def test_bytes_of_both_repositories(gateway, held):
    for repository in (SECOND, FIRST):
        answer = fetch(gateway.url, blob(repository, held.layer.digest), source=NEAR)
        assert (answer.status, answer.digest) == (200, held.layer.digest)
        part = fetch(gateway.url, blob(repository, held.layer.digest), source=NEAR,
                     headers={"Range": "bytes=5-9"})
        assert (part.status, part.body) == (206, held.layer.data[5:10])


def test_no_blob_of_another_repository(gateway, held):
    """Its bytes are found by looking everywhere; the right is not."""
    assert_redirected(ask(gateway, blob("other/app", held.hidden.digest)), held.hidden.digest)
    for repository in (FIRST, SECOND, "no/such"):
        for method in ("GET", "HEAD"):
            for content in (*held.other.blobs, held.other):
                answer = ask(gateway, blob(repository, content.digest), method)
                assert answer.status == 404
                assert_no_location(answer)
        assert ask(gateway, manifest(repository, held.other.digest), Accept=ACCEPT).status == 404
    for repository in (oci_bucket.STORE, "_blobstore", "team", "blobs"):
        answer = ask(gateway, blob(repository, held.layer.digest))
        assert answer.status in (400, 404)
        assert_no_location(answer)


def test_tags(gateway):
    assert json.loads(ask(gateway, f"/v2/{FIRST}/tags/list").body) == {
        "name": FIRST, "tags": ["1.0", "latest"]}
    assert json.loads(ask(gateway, f"/v2/{SECOND}/tags/list").body)["tags"] == ["1.0"]
    assert_error(ask(gateway, "/v2/no/such/tags/list"), 404, "NAME_UNKNOWN")


def test_a_blob_that_is_empty(gateway, held):
    """And not deduplicated: its digest says so."""
    root = ROOTS[gateway.kind]
    held.s3.put_object(Bucket=BUCKET, Key=oci_bucket.key(root, FIRST, EMPTY.digest), Body=b"")
    head = ask(gateway, blob(FIRST, EMPTY.digest), "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, "0")
    location = assert_redirected(ask(gateway, blob(FIRST, EMPTY.digest)), EMPTY.digest)
    assert f"/{FIRST}/" in location
    near = fetch(gateway.url, blob(FIRST, EMPTY.digest), source=NEAR)
    assert (near.status, near.body) == (200, b"")
    assert ask(gateway, blob(SECOND, EMPTY.digest)).status == 404


def test_a_marker_of_nothing(gateway, held):
    """What no repository has the bytes of, as after a collection that went wrong."""
    lost = images.Blob(f"lost by {gateway.kind}".encode())
    for repository in (FIRST, SECOND):
        held.s3.put_object(Bucket=BUCKET, Key=oci_bucket.key(ROOTS[gateway.kind], repository, lost.digest),
                           Body=b"")
        answer = ask(gateway, blob(repository, lost.digest))
        assert_error(answer, 404, "BLOB_UNKNOWN")
        assert_no_location(answer)


def test_the_store_is_nobodys(rgw, held):
    """The newest zot leaves no marker: who owns what is in its own database, so that without zot
    nobody may have it."""
    settings = bucket(rgw, BUCKET, "oci", f"/{ROOTS['with a store alone']}")
    with Fairlead(configuration(settings), env=keys(rgw)) as gateway:
        assert ask(gateway, manifest(FIRST, "1.0"), Accept=ACCEPT).digest == held.index.digest
        for each in (held.layer, held.hidden):
            answer = ask(gateway, blob(FIRST, each.digest))
            assert_error(answer, 404, "BLOB_UNKNOWN")
            assert_no_location(answer)


def test_where_the_bytes_are_is_remembered(rgw, held):
    settings = bucket(rgw, BUCKET, "oci", f"/{ROOTS['deduplicated']}")
    config = configuration(settings, server={"workers": 1})
    with Fairlead(config, env=keys(rgw)) as gateway:
        target = blob(SECOND, held.layer.digest)
        assert_redirected(ask(gateway, target), held.layer.digest)
        watch = Watch(rgw)
        for _ in range(5):
            assert_redirected(ask(gateway, target), held.layer.digest)
        assert watch.by_fairlead() == []


@pytest.mark.parametrize("index", [b"", b"{", b"[]", b"null", b'{"manifests": {}}', b'{"manifests": [7]}',
                                   b'{"manifests": [{"digest": "sha256:../../x"}]}', b"\xff" * 1000])
def test_nonsense_for_an_index(rgw, held, index):
    held.s3.put_object(Bucket=BUCKET, Key="nonsense/team/app/index.json", Body=index)
    held.s3.put_object(Bucket=BUCKET, Body=held.layer.data,
                       Key=oci_bucket.key("nonsense", FIRST, held.layer.digest))
    settings = bucket(rgw, BUCKET, "oci", "/nonsense")
    with Fairlead(configuration(settings), env=keys(rgw)) as gateway:
        answer = ask(gateway, manifest(FIRST, "1.0"), Accept=ACCEPT)
        assert_error(answer, answer.status, "MANIFEST_UNKNOWN", "UNAVAILABLE", "NAME_UNKNOWN")
        assert answer.status in (404, 502)
        assert_redirected(ask(gateway, blob(FIRST, held.layer.digest)), held.layer.digest)


@pytest.mark.parametrize("client", ["docker", "containerd", "podman", "skopeo", "buildah"], indirect=True)
def test_clients_pull_what_was_deduplicated(client, gateway, held, rgw):
    watch = Watch(rgw)
    found = client.pull(host(gateway), f"{NAME}/{SECOND}", "1.0")
    assert held.index.digest in found
    fetched = {access.digest for access in watch.by_clients("GET", "/blobs/")}
    assert {each.digest for each in held.image.blobs} <= fetched


# zot itself.


@pytest.mark.skipif(bool(zot.missing_reason()), reason=zot.missing_reason() or "-")
@pytest.mark.parametrize("dedupe", [False, True], ids=["no dedupe", "dedupe"])
@pytest.mark.parametrize("is_running", [True, False], ids=["zot running", "zot stopped"])
def test_zot(rgw, held, all_clients, dedupe, is_running):
    name = f"zot-{'dedupe' if dedupe else 'plain'}-{'running' if is_running else 'stopped'}"
    held.s3.create_bucket(Bucket=name)
    storage = zot.s3_storage(rgw.endpoint, name, rgw.access_key, rgw.secret_key, dedupe)
    with Zot(policies={"**": ANYBODY}, storage=storage) as server:
        server.put(FIRST, held.index, "1.0")
        server.put(SECOND, held.index, "1.0")
        server.put("other/app", held.other, "1")
        config = configuration(bucket(rgw, name, "oci", "/zot"), registry={"url": server.url})
        if not is_running:
            server.stop()
        with Fairlead(config, env=keys(rgw)) as gateway:
            for repository in (FIRST, SECOND):
                answer = ask(gateway, manifest(repository, "1.0"), Accept=ACCEPT)
                assert (answer.status, answer.digest) == (200, held.index.digest)
                hidden = ask(gateway, blob(repository, held.hidden.digest))
                assert hidden.status in ((404,) if is_running else (404, 502))
                assert_no_location(hidden)
            if is_running or not dedupe:    # else it is zot alone that knows whose a blob is
                for repository in (FIRST, SECOND):
                    found = all_clients["skopeo"].pull(host(gateway), repository, "1.0")
                    assert held.index.digest in found
            assert_redirected(ask(gateway, manifest(FIRST, held.image.digest).replace(
                "/manifests/", "/blobs/")), held.image.digest)
