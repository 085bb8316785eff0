# SPDX-License-Identifier: Apache-2.0
"""What a redirect to the registry's bucket is, to whom it is given, and what it opens."""

import json
from urllib.parse import urlsplit

import pytest
from testbed import images
from testbed.bucket import (
    NAME,
    Watch,
    assert_gets,
    assert_no_location,
    assert_redirected,
    signed,
)
from testbed.checks import assert_error, etag
from testbed.presigner import fetch as fetch_url
from testbed.redirecting import ABSENT, BUCKET, ask, gateway, held, serve  # noqa: F401
from testbed.token_client import ACCEPT, blob, manifest
from testbed.waiting import wait_until

# The redirect.


def test_a_blob_is_redirected(gateway, held, rgw):
    for each in (*held.team.blobs, *held.docker.blobs):
        location = assert_redirected(ask(gateway, blob("team/app", each.digest)), each.digest)
        assert location.startswith(f"{rgw.endpoint}/{BUCKET}/registry/docker/registry/v2/blobs/")
        parameters = signed(location)
        assert parameters["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert parameters["X-Amz-Expires"] == "1200"
        assert parameters["X-Amz-SignedHeaders"] == "host"
        assert parameters["response-content-type"] == "application/octet-stream"
        assert rgw.secret_key not in location
        assert_gets(location, each)


def test_under_another_name(gateway, held):
    answer = ask(gateway, blob("mapped/app", held.layer.digest))
    assert_gets(assert_redirected(answer, held.layer.digest), held.layer)


def test_a_range_is_redirected_as_well(gateway, held):
    answer = ask(gateway, blob("team/app", held.layer.digest), Range="bytes=10-19")
    location = assert_redirected(answer, held.layer.digest)
    assert fetch_url(location, headers={"Range": "bytes=10-19"})[2] == held.layer.data[10:20]


def test_a_manifest_asked_for_as_a_blob(gateway, held):
    answer = ask(gateway, blob("team/app", held.team.digest))
    assert fetch_url(assert_redirected(answer, held.team.digest))[2] == held.team.manifest


def test_head_is_answered_here(gateway, held):
    for each in held.team.blobs:
        for _ in range(2):
            answer = ask(gateway, blob("team/app", each.digest), "HEAD")
            assert answer.status == 200
            assert answer.headers["Content-Length"] == str(each.size)
            assert answer.headers["Docker-Content-Digest"] == each.digest
            assert_no_location(answer)


def test_what_the_client_has_is_not_redirected(gateway, held):
    target = blob("team/app", held.layer.digest)
    for known in (etag(held.layer.digest), f'"x", {etag(held.layer.digest)}', "*"):
        for method in ("GET", "HEAD"):
            answer = ask(gateway, target, method, If_None_Match=known)
            assert (answer.status, answer.body) == (304, b"")
            assert_no_location(answer)
    assert_redirected(ask(gateway, target, If_None_Match=etag(ABSENT)), held.layer.digest)


def test_one_redirect_after_the_other_asks_the_bucket_nothing(serve, held, rgw):
    target = blob("team/app", held.layer.digest)
    with serve(server={"workers": 1}) as gateway:
        assert_redirected(ask(gateway, target), held.layer.digest)
        watch = Watch(rgw)
        for _ in range(20):
            assert_redirected(ask(gateway, target), held.layer.digest)
        assert watch.by_fairlead() == []


def test_the_record_of_a_redirect(gateway, held):
    ask(gateway, blob("team/app", held.layer.digest), User_Agent="looks-at-records")
    record, = gateway.wait_for_records(1, user_agent="looks-at-records")
    assert (record.status, record.outcome, record.bytes or 0) == (307, "redirect", 0)
    assert (record.registry, record.repository) == (NAME, "team/app")
    assert "X-Amz" not in str(vars(record))


def test_nothing_of_it_is_kept_here(gateway, held):
    ask(gateway, blob("team/app", held.layer.digest))
    named = held.layer.digest.split(":")[1]
    assert not [path for path in gateway.cache_directory.rglob("*") if named in path.name]


def test_clients_may_know_the_bucket_by_another_name(serve, held, rgw):
    port = urlsplit(rgw.endpoint).port
    public = f"http://{rgw.domain}:{port}"
    with serve(settings={"public_endpoint": public}) as gateway:
        answer = ask(gateway, blob("team/app", held.layer.digest))
        location = assert_redirected(answer, held.layer.digest)
        assert location.startswith(f"{public}/{BUCKET}/")
        assert fetch_url(location, address=("127.0.0.1", port))[2] == held.layer.data


# Its end.


def test_the_url_ends(serve, held):
    with serve({"presign_expiry": "2s"}) as gateway:
        location = assert_redirected(ask(gateway, blob("team/app", held.layer.digest)),
                                     held.layer.digest)
        assert signed(location)["X-Amz-Expires"] == "2"
        assert_gets(location, held.layer)
        refused = wait_until(
            lambda: (lambda found: found if found[0] != 200 else None)(fetch_url(location)),
            "the URL to expire", 8)
        assert refused[0] == 403 and held.layer.data not in refused[2]
        # The next one is new.
        assert_gets(assert_redirected(ask(gateway, blob("team/app", held.layer.digest)),
                                      held.layer.digest), held.layer)


TAMPERED = {
    "signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    "expiry": lambda url: url.replace("X-Amz-Expires=1200", "X-Amz-Expires=604800"),
    "type": lambda url: url.replace("octet-stream", "x-other"),
    "key": lambda url: url.replace("/data?", "/data2?"),
    "all parameters": lambda url: url.partition("?")[0],
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_url_opens_nothing(gateway, held, what):
    location = assert_redirected(ask(gateway, blob("team/app", held.layer.digest)), held.layer.digest)
    changed = TAMPERED[what](location)
    assert changed != location
    assert fetch_url(changed)[0] == 403


def test_a_url_is_for_one_object(gateway, held):
    """Not for another blob of the bucket, and not for changing anything."""
    one, another = held.layer.digest.split(":")[1], held.hidden.digest.split(":")[1]
    location = assert_redirected(ask(gateway, blob("team/app", held.layer.digest)), held.layer.digest)
    elsewhere = location.replace(f"/{one[:2]}/{one}/", f"/{another[:2]}/{another}/")
    assert elsewhere != location and fetch_url(elsewhere)[0] == 403
    for method in ("PUT", "DELETE", "POST"):
        assert fetch_url(location, method=method)[0] in (400, 403, 405)
    assert_gets(location, held.layer)


# Manifests.


def test_manifests_are_inline(gateway, held):
    for reference, image in (("1", held.team), ("index", held.index), ("schema2", held.docker),
                             (held.team.digest, held.team)):
        for method in ("GET", "HEAD"):
            answer = ask(gateway, manifest("team/app", reference), method, Accept=ACCEPT)
            assert answer.status == 200
            assert answer.headers["Content-Type"] == image.media_type
            assert answer.headers["Docker-Content-Digest"] == image.digest
            assert answer.headers["Content-Length"] == str(len(image.manifest))
            assert_no_location(answer)
        assert ask(gateway, manifest("team/app", reference), Accept=ACCEPT).digest == image.digest


def test_manifests_are_redirected_where_that_is_said(serve, held):
    with serve({"deliver": {"blobs": "redirect", "manifests": "redirect"}}) as gateway:
        for reference, image in (("1", held.team), ("index", held.index), ("schema2", held.docker),
                                 (held.docker.digest, held.docker)):
            target = manifest("team/app", reference)
            location = assert_redirected(ask(gateway, target, Accept=ACCEPT), image.digest)
            assert signed(location)["response-content-type"] == image.media_type
            assert_gets(location, images.Blob(image.manifest), image.media_type)
            head = ask(gateway, target, "HEAD", Accept=ACCEPT)
            assert (head.status, head.headers["Docker-Content-Digest"]) == (200, image.digest)
            assert head.headers["Content-Type"] == image.media_type
            assert head.headers["Content-Length"] == str(len(image.manifest))
            known = ask(gateway, target, Accept=ACCEPT, If_None_Match=etag(image.digest))
            assert known.status == 304
            assert_no_location(known)
        assert_redirected(ask(gateway, blob("team/app", held.layer.digest)), held.layer.digest)


def test_manifests_alone_are_redirected(serve, held):
    with serve({"deliver": {"blobs": "stream", "manifests": "redirect"}}) as gateway:
        assert_redirected(ask(gateway, manifest("team/app"), Accept=ACCEPT), held.team.digest)
        answer = ask(gateway, blob("team/app", held.layer.digest))
        assert (answer.status, answer.digest) == (200, held.layer.digest)


def test_lists_without_the_registry(gateway, held):
    answer = ask(gateway, "/v2/team/app/tags/list")
    assert answer.status == 200
    assert json.loads(answer.body) == {"name": "team/app", "tags": ["1", "2", "b", "index", "schema2"]}
    assert json.loads(ask(gateway, "/v2/mapped/app/tags/list").body)["name"] == "mapped/app"
    assert_error(ask(gateway, "/v2/no/such/tags/list"), 404, "NAME_UNKNOWN")
