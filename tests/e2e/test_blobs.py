# SPDX-License-Identifier: Apache-2.0
"""Blobs: whole and in ranges, cold and hot, by sha256 and sha512."""

import hashlib

import pytest

from testbed import images
from testbed.checks import assert_error, etag
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.registry import Registry

REPOSITORY = "team/ranges"
SIZE = 1_000_003


@pytest.fixture(scope="module")
def blob(pushed):
    found = images.PatternBlob(SIZE, seed=9)
    with Registry(pushed.storage) as loader:
        images.push(loader.url, REPOSITORY, images.large_image(found), "1")
    return found


@pytest.fixture(params=["cold", "hot"])
def served_blob(request, blob, upstream):
    """A Fairlead and the blob's target: not yet fetched, or in the cache."""
    target = f"/v2/upstream.test/{REPOSITORY}/blobs/{blob.digest}"
    with Fairlead(upstream.config()) as fairlead:
        if request.param == "hot":
            assert fetch(fairlead.url, target).digest == blob.digest
        yield fairlead, target


def test_whole(served_blob, blob):
    fairlead, target = served_blob
    for method in ("HEAD", "GET"):
        answer = fetch(fairlead.url, target, method=method)
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(SIZE)
        assert answer.headers["Docker-Content-Digest"] == blob.digest
        assert answer.headers["ETag"] == etag(blob.digest)
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.body == (blob.slice(0, SIZE - 1) if method == "GET" else b"")


@pytest.mark.parametrize("given,first,last", [
    ("bytes=0-0", 0, 0),
    ("bytes=100-4099", 100, 4099),
    ("bytes=1000000-", 1_000_000, SIZE - 1),
    ("bytes=0-", 0, SIZE - 1),
    ("bytes=-1", SIZE - 1, SIZE - 1),
    ("bytes=-100000", SIZE - 100_000, SIZE - 1),
    ("bytes=-99999999", 0, SIZE - 1),
    ("bytes=999000-99999999", 999_000, SIZE - 1),
    ("bytes=999000-99999999999999999999999", 999_000, SIZE - 1),
])
def test_range(served_blob, blob, given, first, last):
    fairlead, target = served_blob
    answer = fetch(fairlead.url, target, headers={"Range": given})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.body == blob.slice(first, last)


@pytest.mark.parametrize("given", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_range_beyond_the_end(served_blob, given):
    fairlead, target = served_blob
    answer = fetch(fairlead.url, target, headers={"Range": given})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("given", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=a-b", "bytes="])
def test_range_that_means_the_whole(served_blob, blob, given):
    fairlead, target = served_blob
    answer = fetch(fairlead.url, target, headers={"Range": given})
    assert (answer.status, answer.digest) == (200, blob.digest)


def test_if_range(served_blob, blob):
    fairlead, target = served_blob
    same = fetch(fairlead.url, target, headers={"Range": "bytes=5-9", "If-Range": etag(blob.digest)})
    assert (same.status, same.body) == (206, blob.slice(5, 9))
    other = fetch(fairlead.url, target, headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert (other.status, other.digest) == (200, blob.digest)


def test_a_range_of_a_cold_blob_makes_the_whole_known(blob, upstream):
    target = f"/v2/upstream.test/{REPOSITORY}/blobs/{blob.digest}"
    with Fairlead(upstream.config()) as fairlead:
        answer = fetch(fairlead.url, target, headers={"Range": "bytes=500000-500009"})
        assert (answer.status, answer.body) == (206, blob.slice(500_000, 500_009))
        fairlead.wait_until_idle()
        assert fetch(fairlead.url, target).digest == blob.digest
        assert upstream.registry.count("GET", "/blobs/") == 1


def test_missing(served):
    absent = "sha256:" + "1" * 64
    for method in ("GET", "HEAD"):
        assert fetch(served.url, f"/v2/team/app/blobs/{absent}", method=method).status == 404
    assert_error(fetch(served.url, f"/v2/team/app/blobs/{absent}"), 404, "BLOB_UNKNOWN")


def test_a_blob_is_served_only_through_a_repository_that_has_it(pushed, served):
    secret, other = (images.image([images.noise_layer(name, 5000)]) for name in ("secret", "other"))
    with Registry(pushed.storage) as loader:
        images.push(loader.url, "team/secret", secret, "1")
        images.push(loader.url, "team/other", other, "1")
    digest = secret.blobs[1].digest
    assert fetch(served.url, f"/v2/team/secret/blobs/{digest}").digest == digest
    assert_error(fetch(served.url, f"/v2/team/other/blobs/{digest}"), 404, "BLOB_UNKNOWN")


def test_sha512(pushed, served, upstream):
    data = b"named by its sha512\n" * 1000
    digest = "sha512:" + hashlib.sha512(data).hexdigest()
    with Registry(pushed.storage) as loader:
        opened = fetch(loader.url, "/v2/team/sha512/blobs/uploads/", method="POST")
        location = opened.headers["Location"].replace(loader.url, "", 1)
        stored = fetch(loader.url, f"{location}&digest={digest}", method="PUT", body=data)
        assert stored.status == 201
    for _ in ("cold", "hot"):
        answer = fetch(served.url, f"/v2/team/sha512/blobs/{digest}")
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["Docker-Content-Digest"] == digest
    assert upstream.registry.count("GET", "/blobs/sha512:") == 1


def test_empty_blob(pushed, served):
    empty = images.Blob(b"")
    with Registry(pushed.storage) as loader:
        opened = fetch(loader.url, "/v2/team/empty/blobs/uploads/", method="POST")
        location = opened.headers["Location"].replace(loader.url, "", 1)
        fetch(loader.url, f"{location}&digest={empty.digest}", method="PUT", body=b"")
    for _ in ("cold", "hot"):
        answer = fetch(served.url, f"/v2/team/empty/blobs/{empty.digest}")
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
