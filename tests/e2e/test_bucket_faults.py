# SPDX-License-Identifier: Apache-2.0
"""A registry's bucket in trouble: pulls go on from the registry; where there is none, clients are
told in words what is wrong; and who watches is told once."""

import http.client
import re
import time
from email.utils import formatdate

import pytest
from testbed.bucket import (
    assert_gets,
    assert_no_location,
    assert_redirected,
    bucket,
    configuration,
    keys,
)
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.pulling import IMPATIENT
from testbed.redirecting import ask
from testbed.s3_proxy import S3Proxy, s3_error
from testbed.token_client import ACCEPT, blob, manifest
from testbed.upstream_faults import cut, failing, hung_up, other_bytes, stalled
from testbed.waiting import wait_until
from testbed.wall_clock import WallClock

NEAR = "127.0.7.1"      # gets bytes from the gateway
HOUR = 3600


@pytest.fixture(scope="module", autouse=True)
def filled(upstreams):
    """The bucket `registry` has what the registry `open` has."""
    assert upstreams["s3"]


@pytest.fixture
def proxy(rgw):
    with S3Proxy(rgw.endpoint) as server:
        yield server


def before(rgw, endpoint, url=None, env=None, **settings):
    found = bucket(rgw, "registry", endpoint=endpoint, timeouts=IMPATIENT) | settings
    config = configuration(found, registry={"url": url, "stream_to": [f"{NEAR}/32"]})
    return Fairlead(config, env=keys(rgw) | (env or {}))


@pytest.fixture
def alone(rgw, proxy):
    with before(rgw, proxy.url) as gateway:
        yield gateway


@pytest.fixture
def behind(rgw, proxy, upstreams):
    with before(rgw, proxy.url, upstreams["open"].registry.url) as gateway:
        yield gateway


def asked_in_vain(server):
    server.fault("*", ".", stalled(server.gate()))


def mend(server):
    server.heal()
    if server.server is None:
        server.start()
    for gate in server.gates:
        gate.open()


def failing_by(*arguments, **options):
    return lambda server: server.fault("*", ".", s3_error(*arguments, **options))


REGION = "<Region>eu-west-3</Region>"
TROUBLES = {  # what it is: how it comes about, and what the words of it have to say
    "SlowDown": (failing_by(503, "SlowDown"), "."),
    "InternalError": (failing_by(500, "InternalError"), "."),
    "hangs up": (lambda server: server.fault("*", ".", hung_up()), "."),
    "does not answer": (asked_in_vain, "answer|time"),
    "nobody there": (S3Proxy.stop, "connect|reach"),
    "a page in HTML": (lambda server: server.fault("*", ".", failing(502)), "."),
    "unknown key": (failing_by(403, "InvalidAccessKeyId"), "key|credentials"),
    "wrong key": (failing_by(403, "SignatureDoesNotMatch"), "key|credentials|signature"),
    "expired": (failing_by(400, "ExpiredToken"), "expired|credentials"),
    "no right": (failing_by(403, "AccessDenied"), "denie|may not|right|permission|suffice|access"),
    "no bucket": (failing_by(404, "NoSuchBucket"), "no such bucket|not there|does not exist|no bucket"),
    "clock": (failing_by(403, "RequestTimeTooSkewed",
                         headers={"Date": formatdate(time.time() + HOUR, usegmt=True)}), "clock"),
    "region, 301": (failing_by(301, "PermanentRedirect", REGION,
                               headers={"x-amz-bucket-region": "eu-west-3"}), "region"),
    "region, 400": (failing_by(400, "AuthorizationHeaderMalformed", REGION), "region.*eu-west-3"),
}
every_trouble = pytest.mark.parametrize("trouble", TROUBLES)


def assert_in_words(answer, words):
    """Which bucket, and what about it; nothing of S3's own, and nothing secret."""
    assert_error(answer, answer.status, "UNAVAILABLE")
    assert answer.status in (502, 504)
    assert_no_location(answer)
    told = answer.body.decode()
    assert "registry" in told and "bucket" in told and re.search(words, told, re.IGNORECASE), told
    for not_told in ("S3's own words", "<Error>", "<html", "TESTBED", "testbed/secret", "Signature="):
        assert not_told not in told


def ready(gateway):
    answer = fetch(gateway.url, "/ready")
    assert answer.status == 200
    health = fetch(gateway.url, "/health")
    assert (health.status, health.body.strip()) == (200, b"ok")
    return answer.body.decode().splitlines()


def assert_degraded(gateway):
    first, *lines = ready(gateway)
    assert first == "degraded"
    assert len(lines) == 1 and "upstream.test" in lines[0] and "bucket" in lines[0], lines
    assert "TESTBED" not in lines[0] and "X-Amz" not in lines[0]
    return lines[0]


def told_in_log(gateway):
    return [line for line in gateway.log()
            if line.get("message") != "request" and "bucket" in line["message"]]


def wait_until_well(gateway, digest):
    wait_until(lambda: ask(gateway, blob("team/app", digest)).status == 307, "the bucket to be asked again",
               20, 0.2)


# With and without a registry behind it.


@every_trouble
def test_pulls_go_on_from_the_registry(behind, proxy, pushed, trouble):
    one, two = pushed.docker.blobs[1:3]
    assert ready(behind) == ["ok"]
    TROUBLES[trouble][0](proxy)
    for each in (one, two, one):
        answer = ask(behind, blob("team/app", each.digest))
        assert (answer.status, answer.digest) == (200, each.digest)
        assert_no_location(answer)
    head = ask(behind, blob("team/app", pushed.zstd.blobs[1].digest), "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(pushed.zstd.blobs[1].size))
    for reference, image in (("1.0", pushed.multi_arch), (pushed.docker.digest, pushed.docker)):
        answer = ask(behind, manifest("team/app", reference), Accept=ACCEPT)
        assert (answer.status, answer.digest) == (200, image.digest)
    assert ask(behind, "/v2/team/app/tags/list").status == 200
    assert_degraded(behind)
    assert len(told_in_log(behind)) == 1

    mend(proxy)
    wait_until_well(behind, one.digest)
    assert ready(behind) == ["ok"]
    assert len(told_in_log(behind)) == 2


@every_trouble
def test_without_a_registry_clients_are_told(alone, proxy, pushed, trouble):
    begin, words = TROUBLES[trouble]
    one = pushed.docker.blobs[1]
    begin(proxy)
    for target in (blob("team/app", one.digest), manifest("team/app", "1.0"),
                   manifest("team/app", pushed.docker.digest), "/v2/team/app/tags/list"):
        assert_in_words(ask(alone, target, Accept=ACCEPT), words)
    for target in (blob("team/app", one.digest), manifest("team/app", "1.0")):
        head = ask(alone, target, "HEAD", Accept=ACCEPT)
        assert head.status in (502, 504)
        assert_no_location(head)
    assert re.search(words, assert_degraded(alone), re.IGNORECASE)
    assert len(told_in_log(alone)) == 1

    mend(proxy)
    wait_until_well(alone, one.digest)
    # What was refused by itself (a listing) is asked again by itself.
    wait_until(lambda: ready(alone) == ["ok"], "all of it to be well", 20, 0.2)
    assert len(told_in_log(alone)) == 2


def test_what_one_gateway_has_not_is_no_trouble(alone):
    absent = "sha256:" + 64 * "0"
    assert ask(alone, blob("team/app", absent)).status == 404
    assert ask(alone, manifest("team/app", "absent"), Accept=ACCEPT).status == 404
    assert ask(alone, blob("no/such", absent)).status == 404
    assert ready(alone) == ["ok"] and told_in_log(alone) == []


# The times it takes.


@pytest.mark.parametrize("error", [s3_error(503, "SlowDown"), s3_error(500, "InternalError"), hung_up()])
def test_a_single_failure_is_not_noticed(alone, proxy, pushed, error):
    rule = proxy.fault("*", ".", error, times=1)
    each = pushed.docker.blobs[1]
    assert_gets(assert_redirected(ask(alone, blob("team/app", each.digest)), each.digest), each)
    assert rule.used == 1
    assert ready(alone) == ["ok"] and told_in_log(alone) == []


def test_a_bucket_that_asks_for_less_gets_less(behind, proxy, pushed):
    """It is asked a few times with pauses, and then left alone for a while."""
    proxy.fault("*", ".", s3_error(503, "SlowDown"))
    began = time.monotonic()
    assert ask(behind, blob("team/app", pushed.docker.blobs[1].digest)).status == 200
    took, asked = time.monotonic() - began, len(proxy.seen())
    assert 2 <= asked <= 8 and took < 10
    for each in pushed.docker.blobs:
        assert ask(behind, blob("team/app", each.digest)).status == 200
    if time.monotonic() - began < took + 4:
        assert len(proxy.seen()) == asked


def test_clients_do_not_wait_for_a_bucket_that_does_not_answer(behind, proxy, pushed):
    asked_in_vain(proxy)
    began = time.monotonic()
    assert ask(behind, blob("team/app", pushed.docker.blobs[1].digest)).status == 200
    assert time.monotonic() - began < 8
    began = time.monotonic()
    for each in pushed.zstd.blobs:
        assert ask(behind, blob("team/app", each.digest)).status == 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("minutes", [-60, 60, 24 * 60])
def test_by_how_much_the_clock_is_wrong(alone, proxy, pushed, minutes):
    date = formatdate(time.time() + minutes * 60, usegmt=True)
    proxy.fault("*", ".", s3_error(403, "RequestTimeTooSkewed", headers={"Date": date}))
    answer = ask(alone, blob("team/app", pushed.docker.blobs[1].digest))
    assert_in_words(answer, "clock")
    told = answer.body.decode()
    by = {60: r"\b(1 ?h|one hour|(59|60) ?m|3[56]\d\d ?s)",
          24 * 60: r"\b(1 ?d|one day|2[34] ?h|14[34]\d ?m|86[34]\d\d ?s)"}
    assert re.search(by[abs(minutes)], told), told
    # S3's clock is ahead: this machine's is behind.
    assert ("behind" in told or "slow" in told) if minutes > 0 else ("ahead" in told or "fast" in told)


# RGW itself.


@pytest.mark.parametrize("how", ["paused", "killed"])
def test_rgw_away(rgw, upstreams, pushed, how):
    one, two = pushed.docker.blobs[1:3]
    with before(rgw, rgw.endpoint, upstreams["open"].registry.url) as behind, \
            before(rgw, rgw.endpoint) as alone:
        for gateway in (behind, alone):
            assert_redirected(ask(gateway, blob("team/app", two.digest)), two.digest)
        with getattr(rgw, how)():
            answer = ask(behind, blob("team/app", one.digest))
            assert (answer.status, answer.digest) == (200, one.digest)
            assert_in_words(ask(alone, blob("team/app", one.digest)), ".")
            for gateway in (behind, alone):
                assert_degraded(gateway)
        for gateway in (behind, alone):
            wait_until_well(gateway, one.digest)
            assert ready(gateway) == ["ok"]


MISTAKES = {
    "wrong secret key": ({}, {"S3_SECRET_KEY": 40 * "x"}, "key|credentials|signature"),
    "unknown access key": ({}, {"S3_ACCESS_KEY": "NOBODYSACCESSKEY0000"}, "key|credentials"),
    "no such bucket": ({"name": "no-such-bucket"}, {}, "no such bucket|not there|does not exist|no bucket"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_configuration(rgw, upstreams, pushed, mistake):
    settings, env, words = MISTAKES[mistake]
    each = pushed.docker.blobs[1]
    with before(rgw, rgw.endpoint, env=env, **settings) as alone:
        answer = ask(alone, blob("team/app", each.digest))
        assert re.search(words, answer.body.decode(), re.IGNORECASE), answer.body
        assert_error(answer, 502, "UNAVAILABLE")
        assert_degraded(alone)
        for _ in range(3):
            ask(alone, blob("team/app", each.digest))
        assert len(told_in_log(alone)) == 1
        assert not [secret for secret in (*env.values(), rgw.secret_key, rgw.access_key)
                    if secret in alone.stderr() or secret in answer.body.decode()]
    with before(rgw, rgw.endpoint, upstreams["open"].registry.url, env=env, **settings) as behind:
        answer = ask(behind, blob("team/app", each.digest))
        assert (answer.status, answer.digest) == (200, each.digest)
        assert_degraded(behind)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong(rgw, pushed, tmp_path, hours):
    clock = WallClock(tmp_path)
    clock.set(hours / 24)
    with before(rgw, rgw.endpoint, env=clock.environment) as alone:
        answer = ask(alone, blob("team/app", pushed.docker.blobs[1].digest))
        assert_in_words(answer, "clock")
        assert ("ahead" if hours > 0 else "behind") in answer.body.decode() or (
            "fast" if hours > 0 else "slow") in answer.body.decode()
        clock.set(0)
        wait_until_well(alone, pushed.docker.blobs[1].digest)
        assert ready(alone) == ["ok"]


# Bytes, where the gateway sends them.


def near(gateway, digest):
    return fetch(gateway.url, blob("team/app", digest), source=NEAR)


def test_a_cut_is_mended(alone, proxy, pushed):
    each = pushed.docker.blobs[1]
    rule = proxy.fault("GET", "/data$", cut(50_000), times=1)
    assert near(alone, each.digest).body == each.data
    assert rule.used == 1


@pytest.mark.parametrize("has_registry", [False, True], ids=["alone", "behind"])
def test_damaged_objects_are_not_served(alone, behind, proxy, pushed, has_registry):
    gateway, each = behind if has_registry else alone, pushed.docker.blobs[1]
    proxy.fault("GET", "/data$", other_bytes(at=100))
    try:
        answer = near(gateway, each.digest)
        assert answer.status in (502, 504) or (has_registry and answer.body == each.data)
    except (http.client.IncompleteRead, ConnectionError):
        pass    # promised, and visibly not kept
    proxy.heal()
    assert near(gateway, each.digest).body == each.data
