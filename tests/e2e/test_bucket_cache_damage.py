# SPDX-License-Identifier: Apache-2.0
"""Objects of the cache's bucket that are not what they are called. A gateway that has nothing but
these gives out no wrong byte as if it were right, and mends what it finds."""

import pytest
from testbed import stored
from testbed.cache_bucket import PART, blob_key
from testbed.faulty_upstream import MANIFEST, FaultyUpstream
from testbed.pulling import assert_right, fetch, manifest, pull, serving
from testbed.redirects import pull_image
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

SMALL = patterned(300_000, seed=1)
IN_PARTS = patterned(PART + 12_345, seed=2)


def altered_at(where):
    def alter(data):
        return data[:where] + bytes([data[where] ^ 0xFF]) + data[where:][1:]
    return alter


DAMAGES = {
    "first byte": altered_at(0),
    "last byte": lambda data: data[:-1] + bytes([data[-1] ^ 0xFF]),
    "other bytes": lambda data: patterned(len(data), seed=99),
    "shorter": lambda data: data[:-1],
    "half": lambda data: data[:len(data) // 2],
    "empty": lambda data: b"",
    "longer": lambda data: data + b"X",
}

every_damage = pytest.mark.parametrize("damage", DAMAGES)


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.image = server.add_image("app", "1", [SMALL, IN_PARTS])
        yield server


def caching(upstream, bucket, cache=None, **s3):
    return serving(upstream, {"s3": bucket.settings(**s3)} | (cache or {}))


def damage_one(upstream, bucket, digest, damage, kind="application/octet-stream"):
    """One gateway puts an image into the bucket, and then a blob of it is overwritten."""
    with caching(upstream, bucket) as first:
        bucket.wait_for(*pull_image(first, "1"))
        data = bucket.bytes_of(digest)
    bucket.put(blob_key(digest), DAMAGES[damage](data), ContentType=kind)
    return data


def assert_never_wrong(answer, data):
    """All of it and right, or visibly not all of it."""
    if answer.status == 200 and answer.complete:
        assert digest_of(answer.body) == digest_of(data)
    else:
        assert answer.status == 200 or answer.status >= 500


def is_mended(bucket, digest):
    """Removed, or replaced by the right bytes."""
    data = bucket.bytes_of(digest)
    return data is None or digest_of(data) == digest


@every_damage
@pytest.mark.parametrize("data", [SMALL, IN_PARTS], ids=["small", "in parts"])
def test_a_blob(upstream, cache_bucket, data, damage):
    digest = digest_of(data)
    damage_one(upstream, cache_bucket, digest, damage)
    with caching(upstream, cache_bucket) as second:
        assert_never_wrong(pull(second, digest), data)
        wait_until(lambda: is_mended(cache_bucket, digest), "the damage to be mended", 30, 0.1)
        assert_right(pull(second, digest), data)
        cache_bucket.wait_for(digest, timeout=60)
        assert cache_bucket.read(digest)[0] == digest
        told = [line for line in second.log() if line["level"] in ("warn", "error")
                and digest in str(line)]
        assert len([line for line in told if "bucket" in line["message"]]) == 1, told


def test_the_registry_is_not_blamed(upstream, cache_bucket):
    digest = digest_of(SMALL)
    damage_one(upstream, cache_bucket, digest, "last byte")
    with caching(upstream, cache_bucket) as second:
        pull(second, digest)
        wait_until(lambda: is_mended(cache_bucket, digest), "the damage to be mended", 30, 0.1)
        told = [line for line in second.log() if line["level"] in ("warn", "error")
                and line["message"] != "request" and digest in str(line)]
        assert not any("upstream" in line["message"] for line in told), told


@every_damage
def test_a_manifest(upstream, cache_bucket, damage):
    data = damage_one(upstream, cache_bucket, upstream.image, damage, kind=MANIFEST)
    with caching(upstream, cache_bucket) as second:
        answer = manifest(second, upstream.image)
        if answer.status == 200:
            assert (answer.complete, answer.body) == (True, data)
        wait_until(lambda: is_mended(cache_bucket, upstream.image), "it to be mended", 30, 0.1)
        answer = manifest(second, "1")
        assert (answer.status, answer.body, answer.header("Content-Type")) == (200, data, MANIFEST)


def test_a_manifest_of_another_kind(upstream, cache_bucket):
    """The Content-Type of an object is not covered by its digest."""
    data = damage_one(upstream, cache_bucket, upstream.image, "longer", kind="text/html")
    cache_bucket.put(blob_key(upstream.image), data, ContentType="text/html")
    with caching(upstream, cache_bucket) as second:
        for reference in ("1", upstream.image):
            answer = manifest(second, reference)
            assert (answer.status, answer.body) == (200, data)
            assert answer.header("Content-Type") == MANIFEST


def test_ranges_of_a_damaged_blob(upstream, cache_bucket):
    """What is outside the damage may come through; what is in it may not."""
    digest = digest_of(IN_PARTS)
    damage_one(upstream, cache_bucket, digest, "first byte")
    with caching(upstream, cache_bucket) as second:
        fetch(second, f"/v2/app/blobs/{digest}", headers={"Range": "bytes=-1000"})
        wait_until(lambda: is_mended(cache_bucket, digest), "the damage to be mended", 30, 0.1)
        answer = fetch(second, f"/v2/app/blobs/{digest}", headers={"Range": "bytes=0-999"})
        assert (answer.status, answer.body) == (206, IN_PARTS[:1000])


def test_a_damaged_blob_while_the_registry_is_away(upstream, cache_bucket):
    """There is nowhere else to have it from: an error, and no wrong bytes."""
    digest = digest_of(SMALL)
    damage_one(upstream, cache_bucket, digest, "last byte")
    with caching(upstream, cache_bucket) as second:
        upstream.fault("GET", "/blobs/", lambda answer, _: answer.__class__(503))
        answer = pull(second, digest, deadline=60)
        assert not (answer.status == 200 and answer.complete)
        upstream.heal()
        wait_until(lambda: pull(second, digest).body == SMALL, "the right bytes", 30, every=0.2)


def test_the_scrub_of_the_bucket(upstream, cache_bucket):
    """What nobody asks for is read too, and removed where it is wrong."""
    digest = digest_of(SMALL)
    damage_one(upstream, cache_bucket, digest, "last byte")
    cache_bucket.put("fairlead/blobs/README", b"of somebody else")
    with caching(upstream, cache_bucket, scrub="1s") as second:
        wait_until(lambda: is_mended(cache_bucket, digest), "the scrub", 120, every=0.2)
        assert digest_of(IN_PARTS) in cache_bucket.digests()
        assert "fairlead/blobs/README" in cache_bucket.keys()
        assert any(line["level"] in ("warn", "error") and digest in str(line)
                   for line in second.log())
        assert_right(pull(second, digest), SMALL)


def test_a_damaged_file_on_the_disk_is_made_good_by_the_bucket(upstream, cache_bucket):
    digest = digest_of(SMALL)
    with caching(upstream, cache_bucket) as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        gateway.wait_until_idle()
        stored.truncate(stored.files(gateway.cache_directory)[digest], 1000)
        assert_right(pull(gateway, digest), SMALL)
        assert len(upstream.seen("GET", "/blobs/" + digest)) == 1
        assert cache_bucket.read(digest)[0] == digest
