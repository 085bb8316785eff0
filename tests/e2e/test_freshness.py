# SPDX-License-Identifier: Apache-2.0
"""How long a tag is believed, how it is checked, and what is said when it cannot be.

A tag is *fresh* for `fresh_for` after its upstream confirmed it, then *checked* by HEAD, and
*stale* when that failed; the access records name which. Where time has to pass, the tests wait
for the condition that it brings about.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed import raw_http
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import (
    IMPATIENT,
    assert_current,
    assert_stale,
    fetch,
    manifest,
    pull,
    serving,
)
from testbed.upstream_faults import digest_of, failing, hung_up, patterned, stalled
from testbed.waiting import wait_until

LAYER = patterned(10_000, seed=1)
OTHER = patterned(10_000, seed=2)
ALWAYS_CHECKED = {"fresh_for": "0s"}


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.first = server.add_image("app", "1", [LAYER])
        yield server


def heads(upstream, path="/manifests/1$"):
    return len(upstream.seen("HEAD", path))


def gets(upstream, path="/manifests/"):
    return len(upstream.seen("GET", path))


def move_tag(upstream):
    """Gives the tag to another image; its digest."""
    return upstream.add_image("app", "1", [LAYER, OTHER])


def freshness(gateway, count):
    return [record.freshness for record in gateway.wait_for_records(count)]


def wait_past(moment):
    wait_until(lambda: time.monotonic() > moment, "the time to pass", 30)


# Fresh, and checked.


def test_a_fresh_tag_is_answered_without_asking(upstream):
    with serving(upstream) as gateway:
        assert_current(manifest(gateway, "1"), upstream.first)
        asked = len(upstream.seen())
        move_tag(upstream)
        assert_current(manifest(gateway, "1"), upstream.first)
        assert_current(manifest(gateway, "1", method="HEAD"), upstream.first)
        assert len(upstream.seen()) == asked
        assert freshness(gateway, 3) == ["checked", "fresh", "fresh"]


def test_what_is_asked_by_digest_has_no_freshness(upstream):
    with serving(upstream) as gateway:
        assert_current(manifest(gateway, upstream.first), upstream.first)
        pull(gateway, digest_of(LAYER))
        assert freshness(gateway, 2) == [None, None]


def test_a_tag_no_longer_fresh_is_checked_by_head_alone(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        for _ in range(4):
            assert_current(manifest(gateway, "1"), upstream.first)
        assert (heads(upstream), gets(upstream)) == (4, 1)
        assert freshness(gateway, 4) == ["checked"] * 4


def test_a_moved_tag_is_fetched_once(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        manifest(gateway, "1")
        moved = move_tag(upstream)
        for _ in range(3):
            answer = manifest(gateway, "1")
            assert_current(answer, moved)
            assert digest_of(answer.body) == moved
        assert (heads(upstream), gets(upstream)) == (4, 2)


def test_fresh_for_ends(upstream):
    with serving(upstream, {"fresh_for": "1s"}) as gateway:
        manifest(gateway, "1")
        moved = move_tag(upstream)

        def shows_the_move():
            return manifest(gateway, "1").header("Docker-Content-Digest") == moved

        wait_until(shows_the_move, "the tag to be checked again", 20, every=0.1)
        assert (heads(upstream), gets(upstream)) == (2, 2)


def test_a_head_by_tag_counts_for_the_get_by_digest(upstream):
    upstream.add_image("copy", "1", [LAYER])
    copied = upstream.add_manifest("copy", "1", upstream.manifests["app", "1"][1])
    assert copied == upstream.first
    with serving(upstream) as gateway:
        assert manifest(gateway, "1", method="HEAD").status == 200
        assert digest_of(manifest(gateway, upstream.first).body) == upstream.first
        assert (heads(upstream, "/manifests/"), gets(upstream)) == (1, 1)

        # Elsewhere too: what the other repository's tag named, it is known to hold.
        assert manifest(gateway, "1", "copy", method="HEAD").status == 200
        assert digest_of(manifest(gateway, copied, "copy").body) == copied
        assert (heads(upstream, "/manifests/"), gets(upstream)) == (2, 1)


def test_each_route_has_its_own_fresh_for(upstream):
    with Fairlead({
        "registries": {"up": {"url": upstream.url}},
        "routes": [{"match": "", "to": "up/"},
                   {"match": "eager/", "to": "up/", "fresh_for": "0s"}],
        "cache": {"fresh_for": "1h"},
    }) as gateway:
        manifest(gateway, "1")
        assert heads(upstream) == 1
        manifest(gateway, "1")
        assert heads(upstream) == 1
        manifest(gateway, "1", "eager/app")
        assert heads(upstream) == 2
        assert gets(upstream) == 1


def test_many_clients_share_one_check(upstream):
    with serving(upstream, {"fresh_for": "3s"}) as gateway:
        manifest(gateway, "1")
        confirmed = time.monotonic()
        moved = move_tag(upstream)
        gate = upstream.gate()
        upstream.fault("HEAD", "/manifests/", stalled(gate), times=1)
        wait_past(confirmed + 3.1)
        target = "/v2/app/manifests/1"
        wires = [raw_http.Wire(gateway.host) for _ in range(16)]
        for wire in wires:
            wire.send(raw_http.request("GET", target, gateway.host, {"Connection": "close"}))
        gate.wait_reached()
        gate.open()
        for wire in wires:
            with wire:
                assert_current(wire.response(), moved)
        assert (heads(upstream), gets(upstream)) == (2, 2)


# What is not there, and what is not allowed.


def test_a_missing_tag_is_remembered_for_a_moment(upstream):
    with serving(upstream, {"not_found_for": "1h"}) as gateway:
        assert manifest(gateway, "2").status == 404
        asked = len(upstream.seen())
        for method in ("GET", "HEAD", "GET"):
            assert manifest(gateway, "2", method=method).status == 404
        assert len(upstream.seen()) == asked
        assert manifest(gateway, "1").status == 200


def test_a_tag_that_came_is_found_after_not_found_for(upstream):
    with serving(upstream, {"not_found_for": "1s"}) as gateway:
        assert manifest(gateway, "2").status == 404
        upstream.add_image("app", "2", [OTHER])
        wait_until(lambda: manifest(gateway, "2").status == 200, "the tag", 20, every=0.1)


def test_a_tag_that_was_removed_is_not_served_stale(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        assert manifest(gateway, "1").status == 200
        upstream.remove_tag("app", "1")
        assert manifest(gateway, "1").status == 404
        upstream.stop()
        assert manifest(gateway, "1").status in (404, 502, 504)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_passed_on_and_forgotten(upstream, status):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        assert manifest(gateway, "1").status == 200
        for reference in ("1", "new"):
            upstream.fault("*", "/manifests/", failing(status))
            for method in ("GET", "HEAD"):
                answer = manifest(gateway, reference, method=method)
                assert answer.status in (401, 403, 404, 502)
                assert answer.header("Warning") is None
            upstream.add_image("app", reference, [LAYER])
            upstream.heal()
            assert manifest(gateway, reference).status == 200
        assert "stale" not in freshness(gateway, 7)


# Stale.

FAILURES = {
    "429": [failing(429, headers={"Retry-After": "3600"})],
    "500": [failing(500)],
    "503": [failing(503)],
    "hung up": [hung_up()],
    "no answer": None,  # held for longer than the gateway waits
    "unreachable": "stop",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_tag_that_cannot_be_checked_is_served_stale(upstream, failure):
    with serving(upstream, ALWAYS_CHECKED, timeouts=IMPATIENT) as gateway:
        assert_current(manifest(gateway, "1"), upstream.first)
        pull(gateway, digest_of(LAYER))
        if failure == "unreachable":
            upstream.stop()
        else:
            upstream.fault("*", ".", *(FAILURES[failure] or [stalled(upstream.gate())]))

        answer = manifest(gateway, "1")
        assert_stale(answer, upstream.first)
        assert digest_of(answer.body) == upstream.first
        asked = len(upstream.seen())

        # Known to be failing: the next ones are answered at once.
        for method in ("HEAD", "GET", "GET"):
            assert_stale(manifest(gateway, "1", method=method), upstream.first)
        if failure != "no answer":  # where a question that nobody waits for any more goes on
            assert len(upstream.seen()) == asked
        # Bytes that are named by their digest are never stale.
        assert_current(manifest(gateway, upstream.first), upstream.first)
        assert pull(gateway, digest_of(LAYER)).header("Warning") is None
        assert freshness(gateway, 8) == ["checked", None, *["stale"] * 4, None, None]
        first, *later = gateway.records(freshness="stale")
        assert first.duration_ms < 10_000
        assert all(record.duration_ms < 1000 for record in later)


def test_the_tag_is_checked_again_when_the_upstream_is_back(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        manifest(gateway, "1")
        upstream.stop()
        assert_stale(manifest(gateway, "1"), upstream.first)
        moved = move_tag(upstream)
        upstream.start()

        def shows_the_move():
            return manifest(gateway, "1").header("Docker-Content-Digest") == moved

        wait_until(shows_the_move, "the tag to be checked again", 60, every=0.1)
        assert_current(manifest(gateway, "1"), moved)


def test_too_many_requests_is_tried_again_after_the_time_that_was_told(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        manifest(gateway, "1")
        moved = move_tag(upstream)
        rule = upstream.fault("HEAD", ".", failing(429, headers={"Retry-After": "1"}), times=1)
        assert_current(manifest(gateway, "1"), moved)
        assert rule.used == 1
        assert freshness(gateway, 2)[-1] == "checked"


@pytest.mark.parametrize("failure", ["429", "500", "unreachable"])
def test_too_old_to_be_stale(upstream, failure):
    with serving(upstream, ALWAYS_CHECKED | {"stale_if_error": "2s"}) as gateway:
        manifest(gateway, "1")
        if failure == "unreachable":
            upstream.stop()
        else:
            upstream.fault("*", ".", *FAILURES[failure])

        def is_refused():
            answer = manifest(gateway, "1")
            if answer.status == 200:
                assert_stale(answer, upstream.first)
            return answer.status != 200 and answer

        refusal = wait_until(is_refused, "the tag to be too old", 30, every=0.1)
        assert refusal.status in (429, 502, 503, 504)
        assert refusal.header("Warning") is None
        # What is asked by its digest is as good as ever.
        assert_current(manifest(gateway, upstream.first), upstream.first)


def test_stale_if_error_can_be_off(upstream):
    with serving(upstream, ALWAYS_CHECKED | {"stale_if_error": "0s"}) as gateway:
        manifest(gateway, "1")
        upstream.stop()
        assert manifest(gateway, "1").status in (502, 504)


def test_a_stale_tag_whose_manifest_was_never_fetched_is_an_error(upstream):
    with serving(upstream, ALWAYS_CHECKED) as gateway:
        assert manifest(gateway, "1", method="HEAD").status == 200
        upstream.stop()
        answer = manifest(gateway, "1")
        if answer.status == 200:  # HEAD had fetched it after all
            assert_stale(answer, upstream.first)
            assert digest_of(answer.body) == upstream.first
        else:
            assert answer.status in (502, 504)


def test_clients_at_once_all_get_the_stale_answer(upstream):
    with serving(upstream, ALWAYS_CHECKED, timeouts=IMPATIENT) as gateway:
        manifest(gateway, "1")
        upstream.fault("*", ".", stalled(upstream.gate()))
        with ThreadPoolExecutor(8) as pool:
            target = "/v2/app/manifests/1"
            for future in [pool.submit(fetch, gateway, target) for _ in range(8)]:
                assert_stale(future.result(), upstream.first)
