# SPDX-License-Identifier: Apache-2.0
"""Images that are too new to be trusted, and repositories that are not to be pulled at all.

With a cooldown of seconds the tests wait until what was refused is allowed. What must still be
refused is asked under a cooldown of an hour, or at once after it was first seen.
"""

import json
import re
import time

import pytest
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import (
    STALE,
    assert_current,
    assert_problem,
    fetch,
    manifest,
    pull,
    pull_image,
    serving,
)
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

DATE_AND_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d"
CHECKED = {"fresh_for": "0s"}
SHORT = {"cooldown": "2s"}
LONG = {"cooldown": "1h"}


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.old = server.add_image("app", "1", [patterned(1000, seed=1)])
        yield server


def move_tag(upstream, seed=2):
    return upstream.add_image("app", "1", [patterned(1000, seed=seed)])


def assert_cooling(answer):
    """Refused, with words that tell a person why and until when."""
    assert_problem(answer, {403}, {"DENIED"})
    message = answer.json()["errors"][0]["message"]
    assert "cooldown" in message
    assert re.search(DATE_AND_TIME, answer.body.decode())


def wait_until_allowed(gateway, reference, repository="app"):
    def is_allowed():
        answer = manifest(gateway, reference, repository)
        return answer.status == 200 and answer

    return wait_until(is_allowed, f"{reference} to be old enough", 30, every=0.1)


def assert_held(answer, digest):
    assert (answer.status, answer.header("Docker-Content-Digest")) == (200, digest)
    assert re.fullmatch(r'299 \S+ "[^"]+"', answer.header("Warning"))
    assert "cooldown" in answer.header("Warning")


# New tags.


def test_a_tag_never_seen_before_is_refused_until_it_is_old_enough(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        assert_cooling(manifest(gateway, "1"))
        head = manifest(gateway, "1", method="HEAD")
        assert head.status == 403 and head.header("Docker-Content-Digest") is None
        assert_current(wait_until_allowed(gateway, "1"), upstream.old)
        assert_current(manifest(gateway, "1"), upstream.old)
        pull_image(gateway, "1")


def test_a_new_tag_of_an_old_image_is_allowed(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        wait_until_allowed(gateway, "1")
        upstream.add_manifest("app", "latest", upstream.manifests["app", "1"][1])
        assert_current(manifest(gateway, "latest"), upstream.old)


def test_old_elsewhere_is_not_old_here(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        wait_until_allowed(gateway, "1")
        copied = upstream.add_manifest("copy", "1", upstream.manifests["app", "1"][1])
        assert copied == upstream.old
        assert_cooling(manifest(gateway, "1", "copy"))


# By digest.


def test_a_manifest_by_digest_is_refused_until_it_is_old_enough(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        assert_cooling(manifest(gateway, upstream.old))
        assert manifest(gateway, upstream.old, method="HEAD").status == 403
        assert_current(wait_until_allowed(gateway, upstream.old), upstream.old)


def test_what_the_tag_withholds_is_not_to_be_had_by_digest(upstream):
    with serving(upstream, CHECKED, route=LONG) as gateway:
        assert_cooling(manifest(gateway, "1"))
        assert_cooling(manifest(gateway, upstream.old))
        assert_cooling(manifest(gateway, "1"))


def test_the_platforms_of_an_index_that_is_old_enough_are_allowed(upstream):
    children = [upstream.add_image("multi", f"child{n}", [patterned(1000, seed=n)])
                for n in range(2)]
    index = upstream.add_index("multi", "1", children)
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        assert_current(wait_until_allowed(gateway, "1", "multi"), index)
        for child in children:
            assert_current(manifest(gateway, child, "multi"), child)
            pull_image(gateway, child, "multi")


def test_the_platforms_of_an_index_that_is_too_new_are_not(upstream):
    child = upstream.add_image("multi", "child", [patterned(1000, seed=1)])
    upstream.add_index("multi", "1", [child])
    with serving(upstream, CHECKED, route=LONG) as gateway:
        assert_cooling(manifest(gateway, "1", "multi"))
        assert_cooling(manifest(gateway, child, "multi"))


# Tags that move.


def test_a_moved_tag_is_held_until_its_new_image_is_old_enough(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        wait_until_allowed(gateway, "1")
        moved = move_tag(upstream)
        answer = manifest(gateway, "1")
        assert_held(answer, upstream.old)
        assert digest_of(answer.body) == upstream.old
        assert gateway.wait_for_records(1, freshness="held", status=200)

        def shows_the_move():
            answer = manifest(gateway, "1")
            if answer.header("Docker-Content-Digest") == moved:
                return answer
            assert_held(answer, upstream.old)
            return None

        assert_current(wait_until(shows_the_move, "the new image", 30, every=0.1), moved)
        # Nobody who pinned the old one loses it.
        assert_current(manifest(gateway, upstream.old), upstream.old)


def test_the_new_image_of_a_held_tag_is_refused_by_digest(upstream):
    with serving(upstream, CHECKED, route={"cooldown": "3s"}) as gateway:
        wait_until_allowed(gateway, "1")
        moved = move_tag(upstream)
        assert_held(manifest(gateway, "1", method="HEAD"), upstream.old)
        assert_cooling(manifest(gateway, moved))


def test_a_tag_that_moves_back_is_held_no_more(upstream):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        wait_until_allowed(gateway, "1")
        old = upstream.manifests["app", "1"][1]
        move_tag(upstream)
        assert_held(manifest(gateway, "1"), upstream.old)
        upstream.add_manifest("app", "1", old)
        assert_current(manifest(gateway, "1"), upstream.old)


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_what_is_old_enough_stays_so_over_a_restart(upstream, end):
    with serving(upstream, CHECKED, route=SHORT) as gateway:
        wait_until_allowed(gateway, "1")
        manifest(gateway, "1")
        if end == "killed":
            gateway.kill()
        gateway.restart()
        assert_current(manifest(gateway, "1"), upstream.old)
        assert_current(manifest(gateway, upstream.old), upstream.old)
        move_tag(upstream)
        assert_held(manifest(gateway, "1"), upstream.old)
        upstream.stop()
        gateway.restart()
        answer = manifest(gateway, "1")
        assert (answer.status, answer.header("Docker-Content-Digest")) == (200, upstream.old)
        assert STALE in answer.all("Warning") or "299" in "".join(answer.all("Warning"))


def test_the_time_passes_while_nobody_runs(upstream):
    """It counts from when the image was first seen, not from the last start."""
    with serving(upstream, CHECKED, route={"cooldown": "3s"}) as gateway:
        assert_cooling(manifest(gateway, "1"))
        gateway.terminate()
        gateway.wait()
        old_enough = time.monotonic() + 3.1
        wait_until(lambda: time.monotonic() > old_enough, "the time to pass", 30)
        gateway.start()
        assert_current(manifest(gateway, "1"), upstream.old)


def test_a_route_without_cooldown_takes_what_is_new(upstream):
    with Fairlead({
        "registries": {"up": {"url": upstream.url}},
        "routes": [{"match": "", "to": "up/", "cooldown": "1h"},
                   {"match": "brave/", "to": "up/"}],
        "cache": CHECKED,
    }) as gateway:
        assert_cooling(manifest(gateway, "1"))
        assert_current(manifest(gateway, "1", "brave/app"), upstream.old)
        assert_cooling(manifest(gateway, "1"))


# Which repositories.


def test_only_the_repositories_that_are_named(upstream):
    for repository in ("team/app", "team/sub/app", "other/app"):
        upstream.add_image(repository, "1", [b"layer"])
    with serving(upstream, route={"repositories": ["team/*"]}) as gateway:
        assert manifest(gateway, "1", "team/app").status == 200
        for repository in ("team/sub/app", "other/app", "app"):
            assert_problem(manifest(gateway, "1", repository), {403}, {"DENIED"})
            assert not upstream.seen("*", f"^/v2/{repository}/")


def test_two_stars_stand_for_any_depth(upstream):
    for repository in ("team/app", "team/sub/app", "teams/app"):
        upstream.add_image(repository, "1", [b"layer"])
    with serving(upstream, route={"repositories": ["team/**"]}) as gateway:
        assert manifest(gateway, "1", "team/app").status == 200
        assert manifest(gateway, "1", "team/sub/app").status == 200
        assert_problem(manifest(gateway, "1", "teams/app"), {403}, {"DENIED"})


def test_what_is_denied_is_denied_in_every_way(upstream):
    for repository in ("team/app", "team/secret"):
        upstream.add_image(repository, "1", [b"layer"])
    route = {"repositories": ["team/**"], "deny": ["team/secret*"]}
    with serving(upstream, route=route) as gateway:
        pull_image(gateway, "1", "team/app")
        digest = upstream.add_blob("team/secret", b"layer")
        for kind in ("manifests/1", f"manifests/{digest}", "tags/list", f"referrers/{digest}"):
            assert_problem(fetch(gateway, f"/v2/team/secret/{kind}"), {403}, {"DENIED"})
        assert_problem(pull(gateway, digest, "team/secret"), {403}, {"DENIED"})
        assert not upstream.seen("*", "/secret/")
        assert json.loads(fetch(gateway, "/v2/team/app/tags/list").body)["tags"] == ["1"]


def test_the_names_are_the_upstreams(upstream):
    """Not those the client uses, which another route may have turned into these."""
    upstream.add_image("team/secret", "1", [b"layer"])
    config = {
        "registries": {"up": {"url": upstream.url}},
        "routes": [{"match": "mine/", "to": "up/team/", "deny": ["team/secret"]},
                   {"match": "team/", "to": "up/", "deny": ["team/app"]}],
    }
    with Fairlead(config) as gateway:
        assert_problem(manifest(gateway, "1", "mine/secret"), {403}, {"DENIED"})
        assert_current(manifest(gateway, "1", "team/app"), upstream.old)
