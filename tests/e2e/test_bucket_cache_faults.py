# SPDX-License-Identifier: Apache-2.0
"""A cache whose bucket fails: pulls go on from the registry and the disk and wait for nobody, and
what was not uploaded is made up for when the bucket is well again. People are told, in words, once.
"""

import time

import pytest
from testbed import stored
from testbed.cache_bucket import CacheBucket
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import serving
from testbed.readiness import ready, told_of, wait_until_degraded, wait_until_well
from testbed.redirects import pull_image, pull_right
from testbed.s3_stand_in import SECRET_KEY, S3StandIn, error, late, slow_down
from testbed.upstream_faults import cut, failing, hung_up, patterned
from testbed.waiting import wait_until
from testbed.wall_clock import WallClock
from testbed.wire_proxy import WireProxy

MADE_UP = 90        # seconds within which what was missed is uploaded
SOME_SECONDS = 5    # for a pull, whatever the bucket does
TAGS = ["a", "b", "c", "d"]

both_ways = pytest.mark.parametrize("deliver", ["stream", "redirect"])


def add_image(upstream, tag):
    upstream.add_image("app", tag, [patterned(60_000, seed=int.from_bytes(tag.encode()) * 10 + layer)
                                    for layer in range(2)])


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        for tag in TAGS:
            add_image(server, tag)
        yield server


@pytest.fixture
def played():
    with S3StandIn() as server:
        yield server


@pytest.fixture
def proxy(rgw):
    with WireProxy(rgw.endpoint) as proxy:
        yield proxy


def caching(upstream, s3, deliver="stream", **more):
    return serving(upstream, {"s3": s3}, deliver=deliver, **more)


def pull_all(gateway, limit=SOME_SECONDS, tags=TAGS):
    """Pulls all images, and some of them again; what they consist of."""
    pulled = set()
    for tag in [*tags, *tags[:2]]:
        then = time.monotonic()
        pulled |= pull_image(gateway, tag)
        assert time.monotonic() - then < limit, f"the pull of {tag} waited for the bucket"
    assert all(record.status in (200, 307) for record in gateway.records(repository="app"))
    return pulled


def is_filled_by_the_registry(gateway, upstream, pulled):
    gateway.wait_until_idle()
    return set(stored.files(gateway.cache_directory)) == pulled


def assert_told_once(gateway, name, is_well=False):
    """One line when it began, and one when it was well again."""
    lines = told_of(gateway, f"bucket {name}")
    assert [line["level"] for line in lines[:1]] == ["warn"], lines
    assert len(lines) == (2 if is_well else 1), lines
    assert not is_well or lines[1]["level"] in ("info", "warn")


def assert_no_secret(gateway, *secrets):
    said = gateway.stderr() + "\n".join(ready(gateway))
    for secret in (*secrets, "X-Amz-Signature", "X-Amz-Credential", "Signature="):
        assert secret not in said


# It does not answer.


@both_ways
def test_down_from_the_start_and_coming(upstream, rgw, cache_bucket, proxy, deliver):
    proxy.stop()
    s3 = cache_bucket.settings(endpoint=proxy.endpoint)
    with caching(upstream, s3, deliver) as gateway:
        pulled = pull_all(gateway)
        line = wait_until_degraded(gateway, "cache: ", "bucket " + cache_bucket.name)
        assert is_filled_by_the_registry(gateway, upstream, pulled)
        assert gateway.records(status=307) == []
        assert_told_once(gateway, cache_bucket.name)

        proxy.start()
        cache_bucket.wait_for(*pulled, timeout=MADE_UP)
        wait_until_well(gateway)
        assert pull_all(gateway) == pulled
        assert_told_once(gateway, cache_bucket.name, is_well=True)
        assert_no_secret(gateway, rgw.secret_key)
        assert proxy.endpoint.split("//")[1] in line or "connect" in line.lower(), line
        assert len(upstream.seen("GET", "/blobs/")) == len(
            {request.path for request in upstream.seen("GET", "/blobs/")})


@both_ways
def test_going_down_and_coming_back(upstream, cache_bucket, proxy, deliver):
    s3 = cache_bucket.settings(endpoint=proxy.endpoint)
    with caching(upstream, s3, deliver) as gateway:
        cache_bucket.wait_for(*pull_all(gateway))
        assert ready(gateway) == ["ok"]
        for number in (1, 2):
            tags = [f"{tag}{number}" for tag in TAGS]
            for tag in tags:
                add_image(upstream, tag)
            proxy.stop()
            pulled = pull_all(gateway, tags=tags)
            pull_all(gateway)
            wait_until_degraded(gateway, "cache: ", "bucket " + cache_bucket.name)
            assert not pulled & cache_bucket.digests()
            proxy.start()
            cache_bucket.wait_for(*pulled, timeout=MADE_UP)
            wait_until_well(gateway)
            # The same trouble again so soon may go without saying, but /ready has it.
            lines = told_of(gateway, f"bucket {cache_bucket.name}")
            assert len(lines) in range(2, 2 * number + 1, 2), lines


def test_what_is_in_the_bucket_only_while_that_is_down(upstream, cache_bucket, proxy):
    """The registry stands in."""
    s3 = cache_bucket.settings(endpoint=proxy.endpoint)
    with caching(upstream, s3) as first:
        pulled = pull_all(first)
        cache_bucket.wait_for(*pulled)
    proxy.stop()
    with caching(upstream, s3) as second:
        assert pull_all(second) == pulled


def test_a_bucket_that_breaks_off(upstream, played):
    """In the midst of a download: the pull goes on from where it was."""
    data = patterned(2_000_000, seed=77)
    digest = upstream.add_blob("app", data)
    played.put_blob(data, 1)
    played.fault("GET", "/blobs/", cut(700_000))
    with caching(upstream, played.settings()) as gateway:
        pull_right(gateway, digest)
        assert played.seen("GET", "/blobs/")


@pytest.mark.parametrize("first_byte, limit", [("1s", SOME_SECONDS), (None, 15)])
def test_a_bucket_that_is_slow(upstream, played, first_byte, limit):
    """Every answer takes 20 seconds."""
    played.fault("*", "/", late(played, 20))
    s3 = played.settings(**({"timeouts": {"first_byte": first_byte}} if first_byte else {}))
    with caching(upstream, s3) as gateway:
        pulled = pull_all(gateway, limit)
        wait_until_degraded(gateway, "cache: ", "bucket cache", timeout=60)
        pull_all(gateway, limit)
        assert_told_once(gateway, "cache")
        played.heal()
        wait_until(lambda: all(map(played.holds, pulled)), "the uploads to be made up for", MADE_UP)
        wait_until_well(gateway)
        assert_told_once(gateway, "cache", is_well=True)


@pytest.mark.parametrize("when", ["at once", "in the body"])
def test_a_bucket_that_never_goes_on(upstream, played, when):
    """It holds what is asked for, and gives no byte of it, or none after the first ones."""
    data = patterned(2_000_000, seed=77)
    digest = upstream.add_blob("app", data)
    played.put_blob(data, 1)
    played.fault("GET", "/blobs/", late(played, 25, 0 if when == "in the body" else None))
    timeouts = {"connect": "1s", "first_byte": "1s", "stall": "1s"}
    with caching(upstream, played.settings(timeouts=timeouts)) as gateway:
        then = time.monotonic()
        pull_right(gateway, digest)
        assert time.monotonic() - then < 10


# It says no.


WRONG = {
    "slow down": (slow_down(), "slow|busy|too many|less|503"),
    "500": (error(500, "InternalError"), "500|error"),
    "503 of a proxy": (failing(503), "503|unavailable"),
    "no answer": (hung_up(), "connection|answer|closed"),
    "access denied": (error(403, "AccessDenied"), "denied|may not|permi|refus|credential"),
    "another region": (error(301, "PermanentRedirect", "Use another endpoint",
                             {"x-amz-bucket-region": "eu-west-7"}), "eu-west-7|region"),
    "a region in the error": (error(400, "AuthorizationHeaderMalformed",
                                    "the region 'us-east-1' is wrong; expecting 'eu-west-7'"),
                              "region"),
    "expired": (error(400, "ExpiredToken"), "expired|credential|token"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bucket_that_says_no(upstream, played, what):
    fault, words = WRONG[what]
    played.fault("*", "/", fault)
    with caching(upstream, played.settings(), "redirect") as gateway:
        pulled = pull_all(gateway, limit=8)
        wait_until_degraded(gateway, "cache: ", words, timeout=30)
        assert_told_once(gateway, "cache")
        assert is_filled_by_the_registry(gateway, upstream, pulled)
        played.heal()
        wait_until(lambda: all(map(played.holds, pulled)), "the uploads to be made up for", MADE_UP,
                   every=0.1)
        wait_until_well(gateway)
        assert_told_once(gateway, "cache", is_well=True)
        assert_no_secret(gateway, SECRET_KEY)


def test_a_bucket_that_is_read_only(upstream, played):
    """What it has is served; that nothing is added is told."""
    data = patterned(70_000, seed=77)
    digest = upstream.add_blob("app", data)
    played.put_blob(data, 1)
    for method in ("PUT", "POST", "DELETE"):
        played.fault(method, "/", error(403, "AccessDenied"))
    with caching(upstream, played.settings()) as gateway:
        pull_right(gateway, digest)
        assert upstream.seen("GET", "/blobs/" + digest) == []
        pull_all(gateway)
        wait_until_degraded(gateway, "cache: ", "denied|may not|permi|refus|credential")


def test_a_slow_down_now_and_then(upstream, played):
    """Is waited out, and is no news."""
    for method in ("HEAD", "GET", "PUT"):
        played.fault(method, "/blobs/", slow_down(), times=1)
    with caching(upstream, played.settings()) as gateway:
        pulled = pull_all(gateway)
        wait_until(lambda: all(map(played.holds, pulled)), "the uploads", MADE_UP)
        assert ready(gateway) == ["ok"]
        assert told_of(gateway, "bucket cache") == []


def test_what_is_no_s3_at_all(upstream, played):
    """It says yes to everything, as some proxies and portals do."""
    played.fault("*", "/", failing(200, b"<html>Welcome</html>"))
    with caching(upstream, played.settings()) as gateway:
        pull_all(gateway)
        gateway.restart()
        pull_all(gateway)


def test_a_wrong_secret_key(upstream, rgw, cache_bucket):
    wrong = "not-the-secret-key-of-anybody-at-all-000"
    with caching(upstream, cache_bucket.settings(secret_key=wrong), "redirect") as gateway:
        pulled = pull_all(gateway)
        wait_until_degraded(gateway, "cache: ", "key|signature|credential")
        assert is_filled_by_the_registry(gateway, upstream, pulled)
        assert gateway.records(status=307) == []
        assert_told_once(gateway, cache_bucket.name)
        assert_no_secret(gateway, wrong, rgw.secret_key)
        assert cache_bucket.keys() == []


def test_an_unknown_access_key(upstream, cache_bucket):
    with caching(upstream, cache_bucket.settings(access_key="NOBODYATALL000000000")) as gateway:
        pull_all(gateway)
        wait_until_degraded(gateway, "cache: ", "key|credential")
        assert_told_once(gateway, cache_bucket.name)


def test_a_missing_bucket_and_its_coming(upstream, rgw):
    bucket = CacheBucket(rgw, "not-there-yet", make=False)
    with caching(upstream, bucket.settings(), "redirect") as gateway:
        pulled = pull_all(gateway)
        wait_until_degraded(gateway, "cache: ", "no such bucket|not there|does not exist|missing")
        assert_told_once(gateway, bucket.name)
        bucket.make()
        bucket.wait_for(*pulled, timeout=MADE_UP)
        wait_until_well(gateway)
        assert pull_all(gateway) == pulled
        assert_told_once(gateway, bucket.name, is_well=True)
    bucket.remove()


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_wrong(upstream, cache_bucket, tmp_path, days):
    clock = WallClock(tmp_path)
    clock.set(days)
    with caching(upstream, cache_bucket.settings(), "redirect", env=clock.environment) as gateway:
        pulled = pull_all(gateway)
        line = wait_until_degraded(gateway, "cache: ", "clock")
        # By how much, and to which side.
        assert any(word in line for word in ("86400", "86399", "86401", "1440 min", "24 h", "24h",
                                             "1 day", "1d", "a day", "23 h", "1439 min")), line
        assert any(word in line for word in (
            ("ahead", "fast", "future") if days > 0 else ("behind", "slow", "past"))), line
        assert_told_once(gateway, cache_bucket.name)
        clock.set(0)
        cache_bucket.wait_for(*pulled, timeout=MADE_UP)
        wait_until_well(gateway)
        assert pull_all(gateway) == pulled


def test_it_starts_without_asking_the_bucket(upstream, proxy, cache_bucket):
    """What is in the way of the bucket is in nobody else's."""
    proxy.stop()
    then = time.monotonic()
    with caching(upstream, cache_bucket.settings(endpoint=proxy.endpoint)) as gateway:
        pull_image(gateway, TAGS[0])
        assert time.monotonic() - then < SOME_SECONDS
        gateway.terminate()
        assert gateway.wait(10) == 0
