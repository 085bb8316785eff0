# SPDX-License-Identifier: Apache-2.0
"""The wall clock is set while the gateway runs, or before it starts again."""

import pytest
from testbed import stored
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import manifest, pull_image, serving
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until
from testbed.wall_clock import WallClock


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.image = server.add_image("app", "1", [patterned(50_000, seed=1)])
        yield server


@pytest.fixture
def clock(tmp_path):
    return WallClock(tmp_path)


def checks(upstream):
    return len(upstream.seen("HEAD", "/manifests/1$"))


@pytest.mark.parametrize("days", [-400, 40])
def test_a_clock_that_is_set_makes_tags_be_checked(upstream, clock, days):
    with serving(upstream, {"fresh_for": "1h"}, env=clock.environment) as gateway:
        pull_image(gateway, "1")
        assert manifest(gateway, "1").status == 200
        before = checks(upstream)
        clock.set(days)
        answer = manifest(gateway, "1")
        assert answer.status == 200 and not answer.header("Warning")
        assert checks(upstream) == before + 1
        assert manifest(gateway, "1").status == 200
        assert checks(upstream) == before + 1, "not fresh by the new time"


def test_a_clock_that_is_set_forward_expires_nothing(upstream, clock):
    cache = {"max_age": "80s"}  # looked after every 20 s
    with serving(upstream, cache, env=clock.environment) as gateway:
        image = pull_image(gateway, "1")
        gateway.wait_until_idle()
        clock.set(40)
        wait_until(lambda: any("clock was set forward" in line["message"] for line in gateway.log()),
                   "the gateway to doubt the clock", 60)
        assert image <= set(stored.files(gateway.cache_directory))
        assert pull_image(gateway, "1") == image


def test_a_clock_that_was_set_back_between_two_runs(upstream, clock):
    with serving(upstream, {"fresh_for": "1h", "max_age": "2d"}, env=clock.environment) as gateway:
        clock.set(400)
        image = pull_image(gateway, "1")
        gateway.wait_until_idle()
        gateway.terminate()
        assert gateway.wait() == 0
        clock.set(0)
        gateway.start()
        assert pull_image(gateway, "1") == image
        upstream.stop()
        assert manifest(gateway, "1").status == 200
        assert pull_image(gateway, upstream.image) == image
