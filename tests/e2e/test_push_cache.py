# SPDX-License-Identifier: Apache-2.0
"""The cache follows what is pushed and deleted through the gateway, before the client has his
answer, whatever is fresh for how long; and a pusher is never told of the cache what the registry
has no more."""

import json

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.http_request import basic
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL, Repository, writable
from testbed.registry import Registry

ROUTES = [{"match": "team/", "to": "up/corp/", "allow": ALL, "fresh_for": "1h"}]
ONE, TWO = (images.image([images.noise_layer(name, 2000)]) for name in ("one", "two"))
BLOB = ONE.blobs[1]
ACCEPTS = [images.OCI_MANIFEST, f"{images.OCI_INDEX}, {images.OCI_MANIFEST}",
           f"{images.OCI_MANIFEST}, {images.DOCKER_MANIFEST}"]
ALICE = ("alice", "alice's: pass word")


@pytest.fixture(params=[Registry, OciRegistry], ids=["distribution", "complete"])
def gateway(request):
    with request.param() as registry:
        yield from _serving(registry)


@pytest.fixture
def complete():
    with OciRegistry() as registry:
        yield from _serving(registry)


def _serving(registry, **more):
    with writable(registry, routes=ROUTES, **more) as gateway:
        gateway.registry = registry
        yield gateway


@pytest.fixture
def app(gateway):
    return sides(gateway)


def sides(gateway, headers=None):
    found = Repository(gateway.url, "team/app", headers)
    found.behind = Repository(gateway.registry.url, "corp/app")
    return found


def known(app, *references):
    """Pulls them, so that they are in the cache and fresh."""
    for reference in references:
        assert app.manifest(reference).status == 200


def assert_means(app, tag, content):
    for method in ("GET", "HEAD"):
        answer = app.manifest(tag, method)
        assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, content.digest)
        assert answer.headers["Warning"] is None
    assert app.manifest(tag).body == content.manifest


def tags(app):
    answer = app.tags()
    assert answer.status == 200, answer.body
    assert answer.headers["Warning"] is None
    return json.loads(answer.body)["tags"] or []


def delete(app, what):
    answer = app.send("DELETE", app.target(what))
    assert answer.status == 202, (answer.status, answer.body)


# Tags.


def test_a_pushed_tag_is_known_at_once(app, gateway):
    app.push_image(ONE, "1")
    gateway.registry.forget()
    assert_means(app, "1", ONE)
    assert gateway.registry.count("GET", "/manifests/") == 0
    assert gateway.registry.count("HEAD", "/manifests/") == 1, "whoever may push is told by it"


def test_a_moved_tag_is_what_it_means_now(app, gateway):
    app.behind.push_image(ONE, "1")
    app.behind.push_image(TWO, "2")
    known(app, "1", "2")
    assert app.put_manifest("1", TWO).status == 201
    gateway.registry.forget()
    assert_means(app, "1", TWO)
    assert gateway.registry.count("GET", pattern="/manifests/1") == 0
    for accept in ACCEPTS:
        answer = app.manifest("1", headers={"Accept": accept})
        assert answer.body == TWO.manifest, accept


def test_a_tag_is_what_it_means_now_for_every_accept(app):
    """What was asked for in other ways before is not what they get now."""
    app.behind.push_image(ONE, "1")
    app.behind.push_image(TWO)
    for accept in ACCEPTS:
        assert app.manifest("1", headers={"Accept": accept}).body == ONE.manifest
    assert app.put_manifest("1", TWO).status == 201
    for accept in ACCEPTS:
        assert app.manifest("1", headers={"Accept": accept}).body == TWO.manifest, accept


def test_a_tag_that_was_missing_is_there(app):
    app.behind.push_image(ONE)
    assert app.manifest("1").status == 404
    assert app.put_manifest("1", ONE).status == 201
    assert_means(app, "1", ONE)


def test_a_refused_push_changes_nothing(app):
    app.behind.push_image(ONE, "1")
    known(app, "1")
    assert app.put_manifest("1", b"nonsense").status == 400
    assert_means(app, "1", ONE)


def test_by_another_name_of_the_same_repository(gateway, app):
    """There is one cache, whichever route leads to it."""
    other = Repository(gateway.url, "corp/app")
    app.behind.push_image(ONE, "1")
    app.behind.push_image(TWO)
    known(other, "1")
    known(app, "1")
    assert app.put_manifest("1", TWO).status == 201
    assert_means(other, "1", TWO)
    delete(other, f"manifests/{TWO.digest}")
    assert app.manifest("1").status == 404


def test_several_tags_are_known_at_once(complete):
    app = sides(complete)
    app.push_image(ONE, "x")
    app.push_image(TWO)
    known(app, "x")
    assert app.put_manifest(TWO.digest, TWO, tag=["x", "y"]).status == 201
    for tag in ("x", "y"):
        assert_means(app, tag, TWO)


# Deletions.


def test_a_deleted_manifest_is_gone_at_once(app):
    app.behind.push_image(ONE, "1", "also")
    app.behind.push_image(TWO, "2")
    known(app, "1", "also", ONE.digest, "2")
    delete(app, f"manifests/{ONE.digest}")
    for reference in ("1", "also", ONE.digest):
        for method in ("GET", "HEAD"):
            assert app.manifest(reference, method).status == 404
    assert_means(app, "2", TWO)


def test_a_deleted_tag_is_gone_at_once(complete):
    app = sides(complete)
    app.behind.push_image(ONE, "1", "2")
    known(app, "1", "2")
    delete(app, "manifests/1")
    assert_error(app.manifest("1"), 404, "MANIFEST_UNKNOWN")
    assert_means(app, "2", ONE)
    assert app.manifest(ONE.digest).status == 200


def test_what_is_deleted_is_not_served_stale():
    """While the registry is away, an old copy would be as if nothing had been deleted."""
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        app = sides(gateway)
        app.push_image(ONE, "1")
        app.push_image(TWO, "2")
        digest = app.push(b"a blob")
        known(app, "1", ONE.digest, "2")
        assert app.blob(digest).status == 200
        delete(app, f"manifests/{ONE.digest}")
        delete(app, f"blobs/{digest}")
        gateway.wait_until_idle()
        registry.stop()
        for answer in (app.manifest("1"), app.manifest(ONE.digest), app.blob(digest)):
            assert answer.status in (404, 502, 504), answer.status
        assert app.manifest("2").status == 200


def test_a_deletion_that_is_refused_changes_nothing():
    with Registry(deletes=False) as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        app = sides(gateway)
        app.push_image(ONE, "1")
        known(app, "1")
        for what in ("manifests/1", f"manifests/{ONE.digest}", f"blobs/{BLOB.digest}"):
            assert app.send("DELETE", app.target(what)).status == 405
        gateway.wait_until_idle()
        registry.stop()
        assert app.manifest("1").status == 200
        assert app.blob(BLOB.digest).body == BLOB.data


def test_a_deleted_blob_is_gone_at_once(app):
    digest = app.push(b"to be deleted")
    for _ in range(2):
        assert app.blob(digest).status == 200
    delete(app, f"blobs/{digest}")
    for method in ("GET", "HEAD"):
        assert app.blob(digest, method).status == 404


def test_it_is_there_again_when_pushed_again(app):
    for _ in range(2):
        app.push_image(ONE, "1")
        assert_means(app, "1", ONE)
        assert app.blob(BLOB.digest).body == BLOB.data
        delete(app, f"manifests/{ONE.digest}")
        delete(app, f"blobs/{BLOB.digest}")
        assert app.manifest("1").status == app.blob(BLOB.digest).status == 404


def test_a_blob_of_two_repositories_is_deleted_from_one(gateway, app):
    other = Repository(gateway.url, "team/other")
    for each in (app, other):
        each.push(b"shared")
        assert each.blob(images.sha256(b"shared")).status == 200
    delete(app, f"blobs/{images.sha256(b'shared')}")
    assert app.blob(images.sha256(b"shared")).status == 404
    assert other.blob(images.sha256(b"shared")).body == b"shared"


# Lists.


def test_the_list_of_tags_follows(complete):
    app = sides(complete)
    app.push_image(ONE, "a")
    assert tags(app) == ["a"]
    complete.registry.forget()
    assert tags(app) == ["a"]
    assert complete.registry.count("GET", "/tags/list") == 0, "fresh for an hour"
    app.put_manifest("b", ONE)
    assert tags(app) == ["a", "b"]
    app.put_manifest(ONE.digest, ONE, tag=["c"])
    assert tags(app) == ["a", "b", "c"]
    delete(app, "manifests/a")
    assert tags(app) == ["b", "c"]
    delete(app, f"manifests/{ONE.digest}")
    assert app.tags().status == 404 or tags(app) == []


def test_the_list_of_referrers_follows(complete):
    app = sides(complete)
    app.push_image(ONE, "1")

    def digests():
        answer = app.referrers(ONE.digest)
        assert answer.status == 200
        return [entry["digest"] for entry in json.loads(answer.body)["manifests"]]

    assert digests() == []
    signature = images.artifact(ONE, "application/vnd.testbed.signature", b"signed")
    app.push_image(signature)
    assert digests() == [signature.digest]
    bill = images.artifact(ONE, "application/vnd.testbed.bill", b"bill")
    app.push_image(bill)
    assert digests() == [signature.digest, bill.digest]
    delete(app, f"manifests/{signature.digest}")
    assert digests() == [bill.digest]


def test_referrers_by_tag_follow():
    """Where the registry has no referrers, clients keep them under a tag; pushing that tag changes
    the list."""
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        app = sides(gateway)
        app.push_image(ONE, "1")
        assert json.loads(app.referrers(ONE.digest).body)["manifests"] == []
        signature = images.artifact(ONE, "application/vnd.testbed.signature", b"signed")
        app.push_image(signature)
        index = images.index([signature])
        app.push_image(index, ONE.digest.replace(":", "-"))
        found = json.loads(app.referrers(ONE.digest).body)["manifests"]
        assert [entry["digest"] for entry in found] == [signature.digest]


# What a pusher asks.


def test_a_pusher_is_told_of_the_registry_not_of_the_cache(app, gateway):
    """Behind the gateway's back they were deleted; who is told that they are there will not push
    them again, and his image will not be whole."""
    app.push_image(ONE, "1")
    assert app.blob(BLOB.digest, "HEAD").status == 200
    delete(app.behind, f"blobs/{BLOB.digest}")
    delete(app.behind, f"manifests/{ONE.digest}")
    gateway.registry.forget()
    assert app.blob(BLOB.digest, "HEAD").status == 404
    assert app.manifest(ONE.digest, "HEAD").status == 404
    assert gateway.registry.count("HEAD") >= 2
    app.push(BLOB.data)
    head = app.blob(BLOB.digest, "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(BLOB.size))
    assert head.headers["Docker-Content-Digest"] == BLOB.digest


def test_who_only_pulls_is_told_of_the_cache(tmp_path):
    users = str(htpasswd(tmp_path / "htpasswd", dict([ALICE])))
    auth = {"users": users, "anonymous": ["pull"], "rules": [
        {"who": "alice", "repositories": ["**"], "actions": ALL}]}
    with Registry() as registry, writable(registry, routes=ROUTES, auth=auth) as gateway:
        gateway.registry = registry
        alice, anybody = sides(gateway, {"Authorization": basic(*ALICE)}), sides(gateway)
        alice.push_image(ONE, "1")
        gateway.wait_until_idle()
        registry.forget()
        for each, asked in ((anybody, 0), (alice, 1)):
            assert each.blob(BLOB.digest, "HEAD").status == 200
            assert registry.count("HEAD", "/blobs/") == asked
        for each, asked in ((anybody, 0), (alice, 1)):
            assert each.manifest(ONE.digest, "HEAD").status == 200
            assert registry.count("HEAD", f"/manifests/{ONE.digest}") == asked


def test_a_pusher_is_told_of_the_cache_while_the_registry_is_away():
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        app = sides(gateway)
        app.push_image(ONE, "1")
        gateway.wait_until_idle()
        registry.stop()
        assert app.blob(BLOB.digest, "HEAD").status == 200
        assert app.manifest(ONE.digest, "HEAD").status == 200
        answer = app.open()
        assert_error(answer, answer.status, "UNAVAILABLE")
        assert answer.status in (502, 504)
