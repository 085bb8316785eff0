# SPDX-License-Identifier: Apache-2.0
"""What leaves the cache's bucket, by the marks of its use, and what stays whatever the limits say.

No real server lets a test set how old an object is. So what is old lies in an S3 server that is
played; Ceph's has what is new. A process looks after the bucket soon after its start.
"""

import pytest
from testbed import stored
from testbed.cache_bucket import ROOT, blob_key
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import pull, serving
from testbed.redirects import follow, has_redirect, pull_image, pull_right
from testbed.s3_stand_in import S3StandIn
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until

MIB = 1 << 20
SOON = 90       # seconds within which a bucket is looked after for the first time

FOREIGN = [f"{ROOT}/README", f"{ROOT}/blobs/README", f"{ROOT}/blobs/sha256/ab/not-a-digest",
           f"{ROOT}/blobs/sha256/00/{'ab' * 32}",       # in a directory that is not its own
           f"{ROOT}/blobs/md5/ab/{'ab' * 16}", f"{ROOT}/other/sha256/ab/{'ab' * 32}",
           f"{ROOT}er/blobs/sha256/ab/{'ab' * 32}", "blobs/sha256/ab/" + "ab" * 32, "README"]


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        yield server


@pytest.fixture
def played():
    with S3StandIn() as server:
        yield server


def blob(number, size=300_000):
    return patterned(size, seed=number)


def caching(upstream, s3, **more):
    return serving(upstream, {"s3": s3}, **more)


def held(played, digests):
    return [played.holds(digest) for digest in digests]


def wait_until_gone(played, digests):
    wait_until(lambda: not any(held(played, digests)), "what is old to be removed", SOON, every=0.1)


def test_what_was_not_used_for_max_age_goes(upstream, played):
    old = [played.put_blob(blob(1), 40), played.put_blob(blob(2), 40, used_days_ago=35)]
    used = [played.put_blob(blob(3), 40, used_days_ago=1), played.put_blob(blob(4), 5)]
    for key in FOREIGN:
        played.put(key, b"another's", days_old=400)
    with caching(upstream, played.settings(max_age="30d")) as gateway:
        wait_until_gone(played, old)
        assert all(held(played, used))
        assert set(FOREIGN) <= set(played.objects)
        # Nothing is left of what went.
        wait_until(lambda: blob_key(old[1], kind="used") not in played.objects, "its mark to go",
                   SOON)
        told, = [line for line in gateway.log() if line["message"] == "evicted content"
                 or "evicted" in line["message"]]
        assert told["contents"] == 2


def test_over_max_size_what_was_used_longest_ago_goes(upstream, played):
    ages = [50, 40, 30, 20, 10, 5]
    digests = [played.put_blob(blob(number), 60, used_days_ago=age)
               for number, age in enumerate(ages)]
    with caching(upstream, played.settings(max_size="1MiB")):
        # 1.8 MB; at most 1 MiB and not less than 90 % of that and one blob.
        wait_until_gone(played, digests[:3])
        assert held(played, digests) == [False] * 3 + [True] * 3


def test_what_was_used_just_now_stays_whatever_the_size(upstream, played):
    """Its marks may be of another process, and clients on their way to it."""
    new = [played.put_blob(blob(number), 50, used_days_ago=0) for number in range(6)]
    old = played.put_blob(blob(10), 50, used_days_ago=2)
    with caching(upstream, played.settings(max_size="1MiB", max_age="1h")):
        wait_until_gone(played, [old])
        assert all(held(played, new))


def test_a_mark_of_the_future_counts_as_now(upstream, played):
    """Another machine's clock may be ahead."""
    ahead = played.put_blob(blob(1), 50, used_days_ago=-400)
    old = played.put_blob(blob(2), 50)
    with caching(upstream, played.settings(max_age="1d")):
        wait_until_gone(played, [old])
        assert played.holds(ahead)


def test_a_use_is_marked_and_saves_what_is_old(upstream, played):
    data = blob(1)
    digest = upstream.add_blob("app", data)
    played.put_blob(data, 40, used_days_ago=35)
    other = played.put_blob(blob(2), 40, used_days_ago=35)
    mark = blob_key(digest, kind="used")
    with caching(upstream, played.settings()) as gateway:
        then = played.objects[mark].modified
        pull_right(gateway, digest)
        wait_until(lambda: played.objects[mark].modified > then, "the use to be marked", 30)
        assert upstream.seen("GET", "/blobs/") == []
    with caching(upstream, played.settings(max_age="30d")):
        wait_until_gone(played, [other])
        assert played.holds(digest)


def test_without_limits_nothing_goes(upstream, played):
    """`max_size` and `max_age` of the directory are not those of the bucket."""
    old = played.put_blob(blob(1), 4000)
    image = upstream.add_image("app", "1", [blob(2), blob(3)])
    with serving(upstream, {"max_size": "1MiB", "max_age": "3s",
                            "s3": played.settings()}) as gateway:
        pulled = pull_image(gateway, "1") | {image}
        wait_until(lambda: all(held(played, pulled)), "the uploads", 30)
        wait_until(lambda: not stored.files(gateway.cache_directory), "the directory to be emptied",
                   90, every=0.2)
        assert all(held(played, [old, *pulled]))
        seen = len(upstream.seen("GET", "/blobs/"))
        assert pull_image(gateway, "1") == pulled
        assert len(upstream.seen("GET", "/blobs/")) == seen


def test_many_objects(upstream, played):
    """More than one page of a listing."""
    old = [played.put_blob(b"%d" % number, 40) for number in range(2500)]
    new = [played.put_blob(b"n%d" % number, 40, used_days_ago=1) for number in range(1200)]
    with caching(upstream, played.settings(max_age="30d")):
        wait_until_gone(played, old)
        assert all(held(played, new))


def listings(bucket):
    return [request for request in bucket.requests("GET", "^$")
            if "/used/" in request.query.get("prefix", "")]


def test_a_real_bucket_over_its_limit(upstream, cache_bucket):
    """All of it was used just now, and the rest is another's: nothing goes, and clients that were
    sent there get what they were promised."""
    for key in FOREIGN:
        cache_bucket.put(key, b"another's")
    for number in range(4):
        upstream.add_image("app", str(number), [blob(number), blob(number + 10)])
    s3 = cache_bucket.settings(max_size="1MiB", max_age="1s")
    with caching(upstream, s3, deliver="redirect") as gateway:
        pulled = set().union(*(pull_image(gateway, str(number)) for number in range(4)))
        cache_bucket.wait_for(*pulled)
        before = len(listings(cache_bucket))
        gateway.restart()
        answers = {digest: pull(gateway, digest) for digest in sorted(pulled)}
        wait_until(lambda: len(listings(cache_bucket)) > before, "the bucket to be looked after",
                   SOON, every=0.5)
        assert cache_bucket.requests("DELETE") == []
        assert set(FOREIGN) <= set(cache_bucket.keys()) and pulled <= cache_bucket.digests()
        for digest, answer in answers.items():
            assert not has_redirect(answer) or follow(answer, digest)[0] == 200
