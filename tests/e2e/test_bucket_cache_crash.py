# SPDX-License-Identifier: Apache-2.0
"""A gateway that ends while it uploads: the bucket has the whole of a blob or nothing of it, and
what is missing is made up for from the disk. A proxy before the bucket holds uploads half-way."""

import shutil
import time
from types import SimpleNamespace

import pytest
from testbed import images, stored
from testbed.blob_reader import BlobReader
from testbed.cache_bucket import MIB, assert_uploaded_once, blob_key
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import serving
from testbed.redirects import pull_image
from testbed.registry import Registry
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until
from testbed.wire_proxy import WireProxy

MADE_UP = 90    # seconds within which what was missed is uploaded


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    storage = tmp_path_factory.mktemp("large")
    blob = images.PatternBlob(60 * MIB, seed=7)
    images.place_blob(storage, "team/large", blob)
    with Registry(storage) as registry:
        yield SimpleNamespace(registry=registry, url=registry.url, blob=blob,
                              target=f"/v2/team/large/blobs/{blob.digest}")
    shutil.rmtree(storage)


@pytest.fixture
def proxy(rgw):
    with WireProxy(rgw.endpoint) as proxy:
        yield proxy


def caching(upstream, bucket, proxy, deliver="stream"):
    s3 = bucket.settings(endpoint=proxy.endpoint)
    return serving(upstream, {"s3": s3}, deliver=deliver)


def pull_whole(gateway, large):
    with BlobReader(gateway.host, large.target, timeout=60) as reader:
        assert reader.digest() == large.blob.digest


def begin_upload(gateway, large, proxy, after):
    """Pulls the blob; its upload stands still when `after` bytes of it are on their way."""
    large.registry.forget()
    proxy.hold_uploads_after(after)
    pull_whole(gateway, large)
    proxy.wait_until_held()


def assert_whole(bucket, large):
    bucket.wait_for(large.blob.digest, timeout=MADE_UP)
    assert bucket.read(large.blob.digest) == (
        large.blob.digest, large.blob.size, "application/octet-stream")


@pytest.mark.parametrize("after", [1 * MIB, 20 * MIB, 55 * MIB])
def test_killed_in_the_midst_of_an_upload(large, cache_bucket, proxy, after):
    with caching(large, cache_bucket, proxy) as gateway:
        begin_upload(gateway, large, proxy, after)
        gateway.kill()
        proxy.release()
        assert cache_bucket.size(large.blob.digest) is None
        assert cache_bucket.digests() == set()

        # Nobody asks for it meanwhile.
        gateway.restart()
        assert_whole(cache_bucket, large)
        assert large.registry.count("GET", "/blobs/") == 1
        wait_until(lambda: cache_bucket.unfinished() == [], "what the crash left to be aborted",
                   MADE_UP, every=0.2)
        pull_whole(gateway, large)
        assert gateway.wait_for_records(1, method="GET")[0].outcome == "hit"


@pytest.mark.parametrize("after", [1 * MIB, 20 * MIB])
def test_ended_in_the_midst_of_an_upload(large, cache_bucket, proxy, after):
    with caching(large, cache_bucket, proxy) as gateway:
        begin_upload(gateway, large, proxy, after)
        then = time.monotonic()
        gateway.terminate()
        assert gateway.wait() == 0
        assert time.monotonic() - then < 10, "the end waits for uploads"
        proxy.release()
        assert cache_bucket.digests() == set()

        gateway.start()
        assert_whole(cache_bucket, large)
        assert large.registry.count("GET", "/blobs/") == 1
        wait_until(lambda: cache_bucket.unfinished() == [], "what was left to be aborted",
                   MADE_UP, every=0.2)


def test_a_blob_on_its_way_up_is_nowhere_to_be_seen(large, cache_bucket, proxy):
    """Another gateway pulls it from the registry, and leaves the upload of the first alone."""
    with caching(large, cache_bucket, proxy, "redirect") as first:
        begin_upload(first, large, proxy, 20 * MIB)
        pull_whole(first, large)
        assert first.wait_for_records(2, method="GET")[-1].outcome in ("hit", "join")
        with serving(large, {"s3": cache_bucket.settings()}, deliver="redirect") as second:
            pull_whole(second, large)
            assert second.wait_for_records(1, method="GET")[0].outcome == "fill"
            assert large.registry.count("GET", "/blobs/") == 2
            # The second may be the one whose upload is first.
            proxy.release()
            assert_whole(cache_bucket, large)
            wait_until(lambda: cache_bucket.unfinished() == [], "both uploads to end", MADE_UP)
            assert_whole(cache_bucket, large)


def test_a_connection_cut_in_the_midst_of_an_upload(large, cache_bucket, proxy):
    with caching(large, cache_bucket, proxy) as gateway:
        begin_upload(gateway, large, proxy, 20 * MIB)
        proxy.stop()
        proxy.release()
        assert cache_bucket.size(large.blob.digest) is None
        pull_whole(gateway, large)
        proxy.start()
        assert_whole(cache_bucket, large)
        assert large.registry.count("GET", "/blobs/") == 1
        wait_until(lambda: cache_bucket.unfinished() == [], "what was cut to be aborted", MADE_UP)


@pytest.mark.parametrize("end", ["killed", "ended"])
def test_uploads_that_were_waiting_outlive_their_gateway(cache_bucket, proxy, end):
    with FaultyUpstream() as upstream:
        for number in range(5):
            layers = [patterned(50_000, seed=number * 10 + each) for each in range(3)]
            upstream.add_image("app", str(number), layers)
        proxy.stop()
        with caching(upstream, cache_bucket, proxy) as gateway:
            pulled = set().union(*(pull_image(gateway, str(number)) for number in range(5)))
            gateway.wait_until_idle()
            assert cache_bucket.keys() == []
            if end == "killed":
                gateway.kill()
            else:
                gateway.terminate()
                assert gateway.wait() == 0
            upstream.stop()
            proxy.start()
            gateway.start()
            cache_bucket.wait_for(*pulled, timeout=MADE_UP)
            sizes = {digest: path.stat().st_size
                     for digest, path in stored.files(gateway.cache_directory).items()}
            for digest in pulled:
                assert_uploaded_once(cache_bucket, digest, sizes[digest])
                assert cache_bucket.read(digest)[0] == digest
        # Tags need the registry; what they lead to does not.
        upstream.start()
        seen = len(upstream.seen("GET", "/blobs/"))
        with caching(upstream, cache_bucket, proxy) as another:
            for number in range(5):
                pull_image(another, str(number))
        assert len(upstream.seen("GET", "/blobs/")) == seen


def test_killed_again_and_again_while_it_uploads(cache_bucket, proxy):
    """What the bucket has is whole at every moment, and in the end it has everything."""
    with FaultyUpstream() as upstream:
        with caching(upstream, cache_bucket, proxy) as gateway:
            pulled = set()
            for number in range(8):
                upstream.add_image("app", str(number), [patterned(9 * MIB, seed=500 + number),
                                                        patterned(80_000, seed=600 + number)])
                proxy.hold_uploads_after(number * MIB)
                pulled |= pull_image(gateway, str(number))
                gateway.wait_until_idle()
                time.sleep(0.05 * number)
                gateway.kill()
                proxy.release()
                for digest in cache_bucket.digests():
                    assert cache_bucket.read(digest)[0] == digest
                gateway.start()
            cache_bucket.wait_for(*pulled, timeout=MADE_UP)
            assert all(cache_bucket.read(digest)[0] == digest for digest in pulled)
            assert cache_bucket.digests() == pulled
            # One that was killed in the moment of beginning an upload does not know its name; such
            # have no parts yet, and end by age.
            wait_until(lambda: cache_bucket.unfinished_parts() == 0, "leftovers to be aborted",
                       MADE_UP)


def test_uploads_of_others_below_another_root_are_left_alone(large, cache_bucket, proxy):
    theirs = cache_bucket.begin_upload("another/cache" + blob_key(large.blob.digest))
    with caching(large, cache_bucket, proxy) as gateway:
        begin_upload(gateway, large, proxy, 20 * MIB)
        gateway.kill()
        proxy.release()
        gateway.start()
        assert_whole(cache_bucket, large)
        wait_until(lambda: len(cache_bucket.unfinished()) == 1, "its own to be aborted", MADE_UP)
        assert [each["UploadId"] for each in cache_bucket.unfinished()] == [theirs]
