# SPDX-License-Identifier: Apache-2.0
"""Docker Hub counts manifest pulls; Fairlead spends few of them, and fewer when few are left.

The Hub is played by a `FaultyUpstream` with anonymous tokens and a `HubLimit`.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream, TokenService
from testbed.hub import HubLimit
from testbed.pulling import manifest, pull_image, serving
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until

REPOSITORIES, TAGS = 4, 5


@pytest.fixture
def hub():
    with FaultyUpstream() as server:
        server.tokens = TokenService()
        for repository in range(REPOSITORIES):
            for tag in range(TAGS):
                layer = patterned(2000, seed=repository * TAGS + tag)
                server.add_image(f"library/app{repository}", str(tag), [layer])
        yield server


def limited(hub, *arguments, **options):
    limit = HubLimit(*arguments, **options)
    hub.fault("*", "/manifests/", limit)
    return limit


def heads(hub, path="/manifests/"):
    """The HEADs that were let in; those that were asked to log in first are no checks."""
    return len([r for r in hub.seen("HEAD", path) if r.header("Authorization")])


def wait_past(moment):
    wait_until(lambda: time.monotonic() > moment, "the time to pass", 30)


def test_a_hundred_pulls_of_twenty_tags(hub):
    limited(hub)

    def docker_pull(number):
        """By HEAD, then by digest, as docker does."""
        repository = f"library/app{number % REPOSITORIES}"
        tag = str(number // REPOSITORIES % TAGS)
        head = manifest(gateway, tag, repository, method="HEAD")
        assert head.status == 200
        return pull_image(gateway, head.header("Docker-Content-Digest"), repository)

    with serving(hub) as gateway, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(docker_pull, range(100)))
        assert heads(hub) == REPOSITORIES * TAGS
        gets = [r.path for r in hub.seen("GET", "/manifests/") if r.header("Authorization")]
        assert len(gets) == len(set(gets)) == REPOSITORIES * TAGS
        assert len(gateway.wait_for_records(80, freshness="fresh")) == 80


def test_a_plenty_left_changes_nothing(hub):
    limited(hub, 100, remaining=50)
    with serving(hub, {"fresh_for": "1s"}) as gateway:
        manifest(gateway, "1", "library/app0")
        confirmed = time.monotonic()
        wait_past(confirmed + 1.1)
        manifest(gateway, "1", "library/app0")
        assert heads(hub) == 2


def test_little_left_makes_tags_last_longer(hub):
    limit = limited(hub, 100, remaining=6)
    with serving(hub, {"fresh_for": "1s"}) as gateway:
        manifest(gateway, "1", "library/app0")
        confirmed = time.monotonic()
        assert limit.remaining == 5
        wait_past(confirmed + 1.5)
        assert manifest(gateway, "1", "library/app0").status == 200
        if time.monotonic() < confirmed + 9:  # else the machine was too slow to tell
            assert heads(hub) == 1
            assert gateway.wait_for_records(2)[-1].freshness == "fresh"
        wait_until(lambda: manifest(gateway, "1", "library/app0") and heads(hub) == 2,
                   "the tag to be checked again", 30, every=0.1)


def test_nothing_left_leaves_known_tags_unchecked(hub):
    limit = limited(hub, 10, remaining=1)
    with serving(hub, {"fresh_for": "0s"}) as gateway:
        digest = manifest(gateway, "1", "library/app0").header("Docker-Content-Digest")
        assert limit.remaining == 0
        checks = heads(hub)
        for _ in range(3):
            answer = manifest(gateway, "1", "library/app0")
            assert (answer.status, answer.header("Docker-Content-Digest")) == (200, digest)
        assert heads(hub) == checks

        # With nothing to serve it asks, and passes the refusal on.
        assert manifest(gateway, "1", "library/app1").status in (429, 502, 503)
        assert heads(hub, "/app1/") + len(hub.seen("GET", "/app1/")) >= 1


def test_when_the_window_has_turned_tags_are_checked_again(hub):
    limit = limited(hub, 10, remaining=1, window=3)
    with serving(hub, {"fresh_for": "0s"}) as gateway:
        manifest(gateway, "1", "library/app0")
        checks = heads(hub)
        limit.remaining = 10
        wait_until(lambda: manifest(gateway, "1", "library/app0") and heads(hub) > checks,
                   "the tag to be checked again", 30, every=0.1)


def test_another_registry_is_not_slowed(hub):
    limited(hub, 10, remaining=1)
    with FaultyUpstream() as other:
        other.add_image("app", "1", [b"layer"])
        config = {
            "registries": {"up": {"url": hub.url}, "other": {"url": other.url}},
            "routes": [{"match": "", "to": "up/"}, {"match": "other/", "to": "other/"}],
            "cache": {"fresh_for": "0s"},
        }
        with Fairlead(config) as gateway:
            manifest(gateway, "1", "library/app0")
            for _ in range(3):
                manifest(gateway, "1", "other/app")
            assert len(other.seen("HEAD", "/manifests/")) == 3
