# SPDX-License-Identifier: Apache-2.0
"""A cache whose content is kept in a bucket too: it comes there once, and from there wherever it is
not on the disk. The bucket is one of Ceph's RGW, whose log tells what was asked of it."""

import hashlib
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from testbed import images, stored
from testbed.blob_reader import BlobReader, discard_all
from testbed.cache_bucket import MIB, PART, assert_uploaded_once, blob_key
from testbed.faulty_upstream import MANIFEST, FaultyUpstream
from testbed.pulling import assert_right, fetch, manifest, pull, serving
from testbed.redirects import follow, pull_image, pull_right
from testbed.registry import Registry
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until
from testbed.wire_proxy import WireProxy

SMALL = patterned(300_000, seed=1)
IN_PARTS = patterned(PART + 12_345, seed=2)

both_ways = pytest.mark.parametrize("deliver", ["stream", "redirect"])


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    storage = tmp_path_factory.mktemp("large")
    found = SimpleNamespace(middle=images.PatternBlob(60 * MIB, seed=1),
                            huge=images.PatternBlob(600 * MIB, seed=2))
    for blob in (found.middle, found.huge):
        images.place_blob(storage, "team/large", blob)
    with Registry(storage) as registry:
        found.registry, found.url = registry, registry.url
        yield found
    shutil.rmtree(storage)


@pytest.fixture
def played():
    with FaultyUpstream() as server:
        server.image = server.add_image("app", "1", [SMALL, IN_PARTS])
        yield server


def caching(upstream, bucket, deliver="stream", s3=None, **more):
    return serving(upstream, {"s3": bucket.settings(**(s3 or {}))}, deliver=deliver, **more)


def content_gets(upstream):
    return [request.path for request in upstream.seen("GET", "/(blobs|manifests)/")]


def wait_for_redirect(gateway, digest, repository="app"):
    """What this gateway uploaded itself it knows to be there."""
    return wait_until(lambda: (lambda answer: answer.status == 307 and answer)(
        pull(gateway, digest, repository)), "a redirect", every=0.1)


# Into the bucket.


def test_sixteen_clients_of_a_cold_blob(large, cache_bucket):
    blob, target = large.middle, f"/v2/team/large/blobs/{large.middle.digest}"
    large.registry.forget()
    with caching(large, cache_bucket) as gateway, ThreadPoolExecutor(16) as pool:
        readers = [BlobReader(gateway.host, target) for _ in range(16)]
        assert set(pool.map(BlobReader.digest, readers)) == {blob.digest}
        assert large.registry.count("GET", "/blobs/") == 1
        cache_bucket.wait_for(blob.digest)
        assert_uploaded_once(cache_bucket, blob.digest, blob.size)
        assert cache_bucket.read(blob.digest) == (blob.digest, blob.size, "application/octet-stream")
        assert cache_bucket.unfinished() == []

        # And from the disk, for as long as it is there.
        gateway.wait_until_idle()
        with cache_bucket.asked("GET") as gets, BlobReader(gateway.host, target) as again:
            assert again.digest() == blob.digest
        assert gets == []
        assert gateway.wait_for_records(17, method="GET")[-1].outcome == "hit"
        assert large.registry.count("GET", "/blobs/") == 1


def test_sixteen_clients_of_a_cold_image(played, cache_bucket):
    with caching(played, cache_bucket) as gateway, ThreadPoolExecutor(16) as pool:
        image, = {frozenset(each)
                  for each in pool.map(lambda _: pull_image(gateway, "1"), range(16))}
        assert [count for count in Counter(content_gets(played)).values() if count > 1] == []
        cache_bucket.wait_for(*image)
        files = stored.files(gateway.cache_directory)
        for digest in image:
            assert_uploaded_once(cache_bucket, digest, files[digest].stat().st_size)
            bytes_digest, _, kind = cache_bucket.read(digest)
            assert bytes_digest == digest
            assert kind == (MANIFEST if digest == played.image else "application/octet-stream")
        assert cache_bucket.digests() == set(image)


def test_nothing_else_is_put_into_the_bucket(played, cache_bucket):
    with caching(played, cache_bucket) as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        pull_image(gateway, "1")
        gateway.terminate()
        assert gateway.wait() == 0
    expected = {blob_key(digest, kind=kind) for digest in image for kind in ("blobs", "used")}
    assert set(cache_bucket.keys()) <= expected
    marks = [request.key for request in cache_bucket.requests("PUT", "/used/")]
    assert len(marks) == len(set(marks)), "uses are marked more than once an hour"
    assert cache_bucket.unfinished() == []


@pytest.mark.parametrize("root", ["/", "/deep/er"])
def test_a_root_of_its_own(played, cache_bucket, root):
    with caching(played, cache_bucket, s3={"root": root}) as gateway:
        image = pull_image(gateway, "1")
        keys = {blob_key(digest, root.strip("/")) for digest in image}
        wait_until(lambda: keys <= set(cache_bucket.keys()), "uploads to the bucket", 30, 0.05)
        assert all(key.startswith(f"{root}/".replace("//", "").lstrip("/"))
                   for key in cache_bucket.keys())


# By redirect.


def test_clients_are_sent_to_what_is_in_the_bucket(played, cache_bucket):
    digest = digest_of(IN_PARTS)
    with caching(played, cache_bucket, "redirect") as gateway:
        assert_right(pull(gateway, digest), IN_PARTS)
        cache_bucket.wait_for(digest)
        answer = wait_for_redirect(gateway, digest)
        assert answer.header("Location").startswith(
            f"{cache_bucket.endpoint}/{cache_bucket.name}/{blob_key(digest)}?")
        status, headers, body = follow(answer, digest)
        assert (status, digest_of(body)) == (200, digest)
        assert headers["Content-Type"] == "application/octet-stream"
        for asked, first, last in (("bytes=100-199", 100, 199),
                                   ("bytes=-1000", len(IN_PARTS) - 1000, len(IN_PARTS) - 1)):
            status, headers, body = follow(pull(gateway, digest, headers={"Range": asked}), digest,
                                           {"Range": asked})
            assert (status, body) == (206, IN_PARTS[first:last + 1])
            assert headers["Content-Range"] == f"bytes {first}-{last}/{len(IN_PARTS)}"
        assert gateway.wait_for_records(3, status=307)[-1].outcome == "redirect"
        assert len(content_gets(played)) == 1

        head = pull(gateway, digest, method="HEAD")
        assert (head.status, head.header("Content-Length")) == (200, str(len(IN_PARTS)))
        assert head.header("Docker-Content-Digest") == digest
        known = pull(gateway, digest, headers={"If-None-Match": f'"{digest}"'})
        assert (known.status, known.header("Location")) == (304, None)
        # Whoever has a URL has the content.
        assert "X-Amz-" not in gateway.stderr() and "Signature=" not in gateway.stderr()


def test_clients_have_another_way_to_the_bucket(played, cache_bucket):
    digest = digest_of(SMALL)
    with WireProxy(cache_bucket.endpoint) as proxy:
        s3 = {"public_endpoint": proxy.endpoint}
        with caching(played, cache_bucket, "redirect", s3=s3) as gateway:
            pull_right(gateway, digest)
            cache_bucket.wait_for(digest)
            answer = wait_for_redirect(gateway, digest)
            assert answer.header("Location").startswith(f"{proxy.endpoint}/{cache_bucket.name}/")
            assert proxy.connections == 0
            assert digest_of(follow(answer, digest)[2]) == digest
            assert proxy.connections == 1


def test_a_url_ends(played, cache_bucket):
    digest = digest_of(SMALL)
    with caching(played, cache_bucket, "redirect", s3={"presign_expiry": "1s"}) as gateway:
        pull_right(gateway, digest)
        cache_bucket.wait_for(digest)
        answer = wait_for_redirect(gateway, digest)
        assert "X-Amz-Expires=1&" in answer.header("Location") + "&"
        wait_until(lambda: follow(answer, digest)[0] == 403, "the URL to end", every=0.2)


def test_manifests_are_inline_unless_they_are_to_be_redirected(played, cache_bucket):
    def when_uploaded(gateway):
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        wait_for_redirect(gateway, digest_of(SMALL))
        return manifest(gateway, played.image)

    with caching(played, cache_bucket, "redirect") as gateway:
        answer = when_uploaded(gateway)
        assert (answer.status, digest_of(answer.body)) == (200, played.image)
    to_all = {"blobs": "redirect", "manifests": "redirect"}
    with caching(played, cache_bucket, to_all) as gateway:
        status, headers, body = follow(when_uploaded(gateway), played.image)
        assert (status, digest_of(body), headers["Content-Type"]) == (200, played.image, MANIFEST)


def test_a_route_replaces_what_the_registry_says(played, cache_bucket):
    with caching(played, cache_bucket, "redirect", route={"deliver": "stream"}) as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        assert pull_image(gateway, "1") == image
        assert gateway.records(status=307) == []
    with caching(played, cache_bucket, "stream", route={"deliver": "redirect"}) as gateway:
        assert follow(wait_for_redirect(gateway, digest_of(SMALL)), digest_of(SMALL))[0] == 200


def test_clients_that_cannot_reach_the_bucket(played, cache_bucket):
    with caching(played, cache_bucket, "redirect", stream_to=["127.0.0.0/8"]) as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        assert pull_image(gateway, "1") == image
        assert gateway.records(status=307) == []


# Out of the bucket.


def empty(gateway):
    gateway.terminate()
    assert gateway.wait() == 0
    shutil.rmtree(gateway.cache_directory)
    gateway.start()


@both_ways
def test_an_emptied_directory(played, cache_bucket, deliver):
    with caching(played, cache_bucket, deliver) as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        played.requests.clear()
        empty(gateway)
        assert pull_image(gateway, "1") == image
        assert content_gets(played) == []
        outcomes = {record.outcome for record in gateway.records(method="GET")
                    if "/blobs/" in record.target}
        assert outcomes == {"fill" if deliver == "stream" else "redirect"}


@both_ways
def test_two_gateways_have_what_each_of_them_pulled(played, cache_bucket, deliver):
    played.add_image("other", "1", [patterned(400_000, seed=3)])
    with caching(played, cache_bucket, deliver) as one, caching(played, cache_bucket, deliver) as two:
        first, second = pull_image(one, "1"), pull_image(two, "1", "other")
        cache_bucket.wait_for(*first, *second)
        assert pull_image(two, "1") == first
        assert pull_image(one, "1", "other") == second
        assert [path for path, count in Counter(content_gets(played)).items() if count > 1] == []


def test_what_came_from_the_bucket_is_kept_and_not_uploaded(played, cache_bucket):
    with caching(played, cache_bucket) as first:
        image = pull_image(first, "1")
        cache_bucket.wait_for(*image)
    with caching(played, cache_bucket) as second, cache_bucket.asked("PUT|POST", "/blobs/") as puts:
        assert pull_image(second, "1") == image
        second.wait_until_idle()
        assert set(stored.files(second.cache_directory)) == image
        with cache_bucket.asked("GET") as gets:
            assert pull_image(second, "1") == image
        assert gets == []
        second.terminate()
        assert second.wait() == 0
    assert puts == []


def test_sixteen_clients_of_what_is_in_the_bucket_only(large, cache_bucket):
    blob, target = large.middle, f"/v2/team/large/blobs/{large.middle.digest}"
    with caching(large, cache_bucket) as first:
        assert fetch(first, target, deadline=60).status == 200
        cache_bucket.wait_for(blob.digest)
    large.registry.forget()
    with caching(large, cache_bucket) as second, ThreadPoolExecutor(17) as pool:
        key = re.escape(blob_key(blob.digest)) + "$"
        with cache_bucket.asked("GET", key) as gets:
            tail = BlobReader(second.host, target, {"Range": "bytes=-1000"})
            readers = [BlobReader(second.host, target) for _ in range(16)]
            assert set(pool.map(BlobReader.digest, readers)) == {blob.digest}
            assert tail.head().status == 206
            assert tail.read() == blob.slice(blob.size - 1000, blob.size - 1)
        assert sum(request.size for request in gets) == blob.size, "more than one download"
        assert large.registry.count("GET", "/blobs/") == 0
        outcomes = Counter(record.outcome for record in second.wait_for_records(17, method="GET"))
        assert outcomes == {"fill": 1, "join": 16}


# Memory.


def test_memory_stays_small(large, cache_bucket):
    """A cold blob on its way up, and down again to another."""
    blob, target = large.huge, f"/v2/team/large/blobs/{large.huge.digest}"

    def pull_all(gateway):
        readers = [BlobReader(gateway.host, target) for _ in range(4)]
        discard_all(readers, timeout=200)
        assert all(reader.is_complete for reader in readers)

    with caching(large, cache_bucket) as first:
        pull_all(first)
        cache_bucket.wait_for(blob.digest, timeout=120)
        assert first.peak_rss_bytes() < 100 * MIB
    large.registry.forget()
    with caching(large, cache_bucket) as second:
        pull_all(second)
        second.wait_until_idle()
        assert second.peak_rss_bytes() < 100 * MIB
        path = stored.files(second.cache_directory)[blob.digest]
        with path.open("rb") as file:
            assert "sha256:" + hashlib.file_digest(file, "sha256").hexdigest() == blob.digest
    assert large.registry.count("GET", "/blobs/") == 0
