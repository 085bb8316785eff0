# SPDX-License-Identifier: Apache-2.0
"""Manifests that are pushed and deleted, and blobs that are deleted: what the registry says, under
the names of the client."""

import json
from contextlib import ExitStack

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.oci_registry import OciRegistry
from testbed.push_protocol import ALL, Repository, codes, writable
from testbed.registry import Registry
from testbed.uploader import Uploader
from testbed.waiting import wait_until

ROUTES = [{"match": "team/", "to": "up/corp/apps/", "allow": ALL}]
IMAGE = images.image([images.noise_layer("pushed", 2000), images.noise_layer("more", 500)])
OTHER = images.image([images.noise_layer("other", 1000)])
ABSENT = images.sha256(b"absent")
MIB = 1 << 20


@pytest.fixture(scope="module")
def distribution():
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        yield gateway


@pytest.fixture(scope="module")
def complete():
    with OciRegistry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        yield gateway


@pytest.fixture(params=["distribution", "complete"])
def gateway(request):
    return request.getfixturevalue(request.param)


_names = iter(range(1000))


def repository(gateway):
    """One that is new, and has the blobs of IMAGE."""
    name = f"app{next(_names)}"
    found = Repository(gateway.url, f"team/{name}")
    found.behind = Repository(gateway.registry.url, f"corp/apps/{name}")
    for blob in (*IMAGE.blobs, *OTHER.blobs):
        found.behind.push(blob.data)
    gateway.registry.forget()
    return found


@pytest.fixture
def app(gateway):
    return repository(gateway)


def assert_made(app, answer, digest):
    assert answer.status == 201, (answer.status, answer.body[:300])
    assert answer.headers["Location"] == f"/v2/{app.name}/manifests/{digest}"
    assert answer.headers["Docker-Content-Digest"] == digest
    return answer


def assert_is(answer, content):
    assert (answer.status, answer.body) == (200, content.manifest)
    assert answer.headers["Content-Type"] == content.media_type
    assert answer.headers["Docker-Content-Digest"] == content.digest


def padded(size):
    """A good manifest of exactly so many bytes."""
    return IMAGE.manifest + b" " * (size - len(IMAGE.manifest))


# PUT.


@pytest.mark.parametrize("reference", ["1", "v1.0_x-y", "a" * 128, IMAGE.digest])
def test_by_tag_and_by_digest(app, reference):
    assert_made(app, app.put_manifest(reference, IMAGE), IMAGE.digest)
    for side in (app.behind, app):
        for asked in {reference, IMAGE.digest}:
            assert_is(side.manifest(asked), IMAGE)


def test_a_tag_that_is_moved(app):
    for content in (IMAGE, OTHER, IMAGE):
        assert_made(app, app.put_manifest("latest", content), content.digest)
        for side in (app.behind, app):
            assert_is(side.manifest("latest"), content)


def test_docker_schema_2_and_indexes(app):
    docker = images.image([images.noise_layer("docker", 1000)], format="docker")
    both = images.index([IMAGE, OTHER])
    app.push_image(docker, "schema2")
    app.push_image(both, "both")
    for side in (app.behind, app):
        assert_is(side.manifest("schema2"), docker)
        assert_is(side.manifest("both"), both)


@pytest.mark.parametrize("body", [b"nope", b"", b"[1]", b'{"schemaVersion": 2'])
def test_bad_json(app, body):
    answer = app.put_manifest("1", body)
    assert_error(answer, 400, "MANIFEST_INVALID")
    assert app.manifest("1").status == 404


def test_what_it_names_has_to_be_there(app):
    missing = IMAGE.manifest.replace(IMAGE.blobs[1].digest.encode(), ABSENT.encode())
    answer, direct = (side.put_manifest("1", missing) for side in (app, app.behind))
    assert_error(answer, direct.status, "MANIFEST_BLOB_UNKNOWN")
    assert [error["message"] for error in json.loads(answer.body)["errors"]] == [
        error["message"] for error in json.loads(direct.body)["errors"]]
    assert app.manifest("1").status == 404


def test_an_index_of_what_is_not_there(app):
    answer = app.put_manifest("both", images.index([IMAGE, OTHER]))
    assert answer.status in (400, 404) and set(codes(answer)) == {"MANIFEST_BLOB_UNKNOWN"}


def test_a_wrong_digest(app):
    assert_error(app.put_manifest(OTHER.digest, IMAGE), 400, "DIGEST_INVALID")
    for side in (app, app.behind):
        for digest in (IMAGE.digest, OTHER.digest):
            assert side.manifest(digest).status == 404


@pytest.mark.parametrize("reference", ["-bad", "a" * 129, "sha256:abc", "sha256:" + "G" * 64])
def test_what_is_no_reference(app, gateway, reference):
    assert_error(app.put_manifest(reference, IMAGE), 400, "TAG_INVALID", "DIGEST_INVALID",
                 "MANIFEST_INVALID")
    assert gateway.registry.count("PUT") == 0


def test_four_mebibytes_and_no_more(complete):
    app = repository(complete)
    largest = padded(4 * MIB)
    assert_made(app, app.put_manifest("large", largest), images.sha256(largest))
    assert app.manifest("large").body == largest


@pytest.mark.parametrize("length", [4 * MIB + 1, 64 * MIB, None])
def test_larger(complete, length):
    """The client has his answer, though he may still be sending."""
    app = repository(complete)
    body = padded(length or 5 * MIB)
    with Uploader(complete.host, "PUT", app.target("manifests/larger"), length) as upload:
        if length:
            upload.send_until_stuck(body, most=length)
        else:
            upload.offer(body)
        answer = upload.response()
    assert answer is not None and answer.status == 413, answer
    assert answer.error_codes() == ["SIZE_INVALID"]
    assert complete.registry.count("PUT") == 0
    assert app.manifest("larger").status == 404


def test_those_that_never_end_leave_no_room_for_others():
    """64 MiB of them are on their way at once; who comes then is told to come again."""
    with (OciRegistry() as registry,
          writable(registry, routes=ROUTES, server={"workers": 1}) as gateway):
        gateway.registry = registry
        app = repository(gateway)
        with ExitStack() as unfinished:
            for number in range(16):
                upload = unfinished.enter_context(
                    Uploader(gateway.host, "PUT", app.target(f"manifests/{number}"), 4 * MIB,
                             expect=True))
                assert upload.wanted()
            refused = app.put_manifest("1", IMAGE)
            assert_error(refused, 429, "TOOMANYREQUESTS")
            assert refused.headers["Retry-After"] == "1"
        wait_until(lambda: app.put_manifest("1", IMAGE).status == 201, "room for a manifest")


def test_chunked(app):
    answer = app.send("PUT", app.target("manifests/1"), iter([IMAGE.manifest]),
                      {"Content-Type": IMAGE.media_type})
    assert_made(app, answer, IMAGE.digest)


def test_the_media_type_is_passed_on(app):
    """One that the registry does not take is the registry's to refuse."""
    kinds = ("text/plain", f"{images.OCI_MANIFEST}; charset=utf-8")
    for kind in kinds:
        answer, direct = (side.put_manifest("1", IMAGE, {"Content-Type": kind})
                          for side in (app, app.behind))
        assert answer.status == direct.status


# What only registries of the specification's 1.1 and later do.


def test_a_subject(complete):
    app = repository(complete)
    app.put_manifest("1", IMAGE)
    signature = images.artifact(IMAGE, "application/vnd.testbed.signature", b"signed")
    for blob in signature.blobs:
        app.push(blob.data)
    answer = assert_made(app, app.put_manifest(signature.digest, signature), signature.digest)
    assert answer.headers["OCI-Subject"] == IMAGE.digest
    assert app.put_manifest("1", IMAGE).headers["OCI-Subject"] is None
    found = json.loads(app.referrers(IMAGE.digest).body)["manifests"]
    assert [entry["digest"] for entry in found] == [signature.digest]


def test_several_tags_at_once(complete):
    app = repository(complete)
    answer = assert_made(app, app.put_manifest(IMAGE.digest, IMAGE, tag=["x", "y"]), IMAGE.digest)
    told = ", ".join(answer.headers.get_all("OCI-Tag")).replace(" ", "").split(",")
    assert told == ["x", "y"]
    for tag in ("x", "y"):
        assert_is(app.manifest(tag), IMAGE)
    assert json.loads(app.tags().body)["tags"] == ["x", "y"]


def test_a_registry_that_does_not_know_several_tags(distribution):
    app = repository(distribution)
    answer = assert_made(app, app.put_manifest(IMAGE.digest, IMAGE, tag=["x", "y"]), IMAGE.digest)
    assert answer.headers["OCI-Tag"] is None
    for tag in ("x", "y"):
        assert app.manifest(tag).status == 404, "nobody made that tag"


# DELETE.


def test_a_manifest_by_digest(app):
    app.push_image(IMAGE, "1", "2")
    answer = app.send("DELETE", app.target(f"manifests/{IMAGE.digest}"))
    assert (answer.status, answer.body) == (202, b"")
    for side in (app.behind, app):
        for reference in ("1", "2", IMAGE.digest):
            assert_error(side.manifest(reference), 404, "MANIFEST_UNKNOWN")
    again = app.send("DELETE", app.target(f"manifests/{IMAGE.digest}"))
    assert_error(again, 404, "MANIFEST_UNKNOWN")


def test_a_tag(complete):
    app = repository(complete)
    app.push_image(IMAGE, "1", "2")
    assert app.send("DELETE", app.target("manifests/1")).status == 202
    assert_error(app.manifest("1"), 404, "MANIFEST_UNKNOWN")
    for reference in ("2", IMAGE.digest):
        assert_is(app.manifest(reference), IMAGE)
    assert_error(app.send("DELETE", app.target("manifests/1")), 404, "MANIFEST_UNKNOWN")


def test_a_tag_where_the_registry_deletes_none(distribution):
    """docker-registry says 400, and the tag stays."""
    app = repository(distribution)
    app.push_image(IMAGE, "1")
    direct = app.behind.send("DELETE", app.behind.target("manifests/1"))
    answer = app.send("DELETE", app.target("manifests/1"))
    assert (answer.status, codes(answer)) == (direct.status, codes(direct))
    assert_is(app.manifest("1"), IMAGE)


def test_a_blob(app):
    digest = app.push(b"to be deleted")
    assert app.blob(digest).body == b"to be deleted"
    answer = app.send("DELETE", app.target(f"blobs/{digest}"))
    assert (answer.status, answer.body) == (202, b"")
    for side in (app.behind, app):
        for method in ("GET", "HEAD"):
            assert side.blob(digest, method).status == 404
    assert_error(app.send("DELETE", app.target(f"blobs/{digest}")), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("target", [f"blobs/{IMAGE.blobs[0].digest}", f"manifests/{IMAGE.digest}",
                                    "manifests/1"])
@pytest.mark.parametrize("kind", [Registry, OciRegistry])
def test_a_registry_that_deletes_nothing(kind, target):
    with kind(deletes=False) as registry, writable(registry, routes=ROUTES) as gateway:
        app = Repository(gateway.url, "team/app")
        app.push_image(IMAGE, "1")
        assert_error(app.send("DELETE", app.target(target)), 405, "UNSUPPORTED")
        assert_is(app.manifest("1"), IMAGE)
        assert app.blob(IMAGE.blobs[0].digest).status == 200


@pytest.mark.parametrize("method,target", [
    ("POST", "manifests/1"), ("PATCH", "manifests/1"), ("PUT", f"blobs/{ABSENT}"),
    ("POST", f"blobs/{ABSENT}"), ("PATCH", f"blobs/{ABSENT}"), ("DELETE", "tags/list"),
    ("PUT", f"referrers/{ABSENT}"), ("PATCH", "blobs/uploads/"), ("DELETE", "blobs/uploads/")])
def test_methods_that_mean_nothing(app, gateway, method, target):
    answer = app.send(method, app.target(target), b"{}")
    assert_error(answer, answer.status, "UNSUPPORTED", "BLOB_UPLOAD_UNKNOWN")
    assert answer.status in (404, 405)
    assert gateway.registry.count() == 0
