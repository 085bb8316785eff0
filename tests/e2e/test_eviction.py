# SPDX-License-Identifier: Apache-2.0
"""What leaves the cache when it is full or old, and what never does.

Over `max_size` the least recently used goes, down to 90 % of it. Images here have one layer of
100 000 bytes or a few, and less than 1000 bytes besides. Two uses within some milliseconds count as
one, so that a use that is to count is `a_moment_later`.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed import images, raw_http, stored
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import assert_right, kept, manifest, pull, pull_image, serving
from testbed.registry import Registry
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

LAYER = 100_000
MIB = 1 << 20


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        yield server


def add(upstream, name, layers=1, seed=0, shared=(), tag="1"):
    """An image of so many layers of its own, in the repository `name`."""
    own = [patterned(LAYER, seed=hash_of(name, tag, seed + number)) for number in range(layers)]
    return upstream.add_image(name, tag, [*shared, *own])


def hash_of(*parts):
    return int(digest_of(repr(parts).encode())[7:15], 16)


def use(gateway, upstream, *names):
    """Pulls the images, and waits until they are on the disk; what each consists of."""
    found = [pull_image(gateway, "1", name) for name in names]
    gateway.wait_until_idle()
    return found[0] if len(found) == 1 else found


def a_moment_later():
    then = time.monotonic() + 0.1
    wait_until(lambda: time.monotonic() > then, "a moment to pass", every=0.02)


def held(gateway, digests):
    return set(digests) & set(stored.files(gateway.cache_directory))


def wait_for_room(gateway, limit):
    wait_until(lambda: stored.size_held(gateway.cache_directory) <= limit,
               f"the cache to have at most {limit} bytes", 30, every=0.02)


def wait_until_gone(gateway, digests, timeout=30):
    wait_until(lambda: not held(gateway, digests), "content to be evicted", timeout, every=0.02)


# The least recently used goes first.


def test_the_least_recently_used_goes_first(upstream):
    names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
    for name in [*names, "new"]:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        images = {name: use(gateway, upstream, name) for name in names}
        a_moment_later()
        use(gateway, upstream, "a")
        images["new"] = use(gateway, upstream, "new")
        wait_for_room(gateway, MIB * 9 // 10)
        by_use = [images[name] for name in [*names[1:], "a", "new"]]
        whole = [held(gateway, image) == image for image in by_use]
        assert whole == sorted(whole), "not in the order of use"
        assert not whole[0] and all(whole[-5:])
        # Nothing more than had to go.
        assert stored.size_held(gateway.cache_directory) > MIB * 9 // 10 - 2 * LAYER


def test_what_was_evicted_is_pulled_again(upstream):
    names = [f"app{number}" for number in range(15)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        first = use(gateway, upstream, names[0])
        use(gateway, upstream, *names[1:])
        wait_until_gone(gateway, first)
        assert use(gateway, upstream, names[0]) == first
        assert held(gateway, first) == first


def test_an_image_in_use_stays_whole(upstream):
    """Clients that have the layers ask for the manifest only; that uses all it names."""
    add(upstream, "used", layers=4)
    add(upstream, "unused", layers=4)
    add(upstream, "filler", layers=2)
    add(upstream, "more", layers=2)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        used = use(gateway, upstream, "used")
        unused = use(gateway, upstream, "unused")
        a_moment_later()
        manifest(gateway, "1", "used")
        filler = use(gateway, upstream, "filler")
        more = use(gateway, upstream, "more")
        wait_for_room(gateway, MIB)
        for image in (used, filler, more):
            assert held(gateway, image) == image
        assert len(held(gateway, unused)) < len(unused)


def test_an_old_image_goes_before_any_part_of_a_used_one(upstream):
    add(upstream, "old", layers=5)
    add(upstream, "used", layers=4)
    names = [f"filler{number}" for number in range(4)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        used, old = use(gateway, upstream, "used", "old")
        a_moment_later()
        manifest(gateway, "1", "used")
        for name in names:
            filler = use(gateway, upstream, name)
        wait_for_room(gateway, MIB)
        assert held(gateway, used) == used
        assert held(gateway, filler) == filler
        assert len(held(gateway, old)) < len(old)


@pytest.mark.parametrize("reference", ["tag", "digest"])
def test_a_head_is_a_use(upstream, reference):
    """All that a client asks that has the image, and wants to know whether it is still current."""
    digest = add(upstream, "used", layers=4)
    names = [f"app{number}" for number in range(9)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        used = use(gateway, upstream, "used")
        early = use(gateway, upstream, *names[:5])
        a_moment_later()
        manifest(gateway, "1" if reference == "tag" else digest, "used", method="HEAD")
        use(gateway, upstream, *names[5:])
        wait_for_room(gateway, MIB)
        assert held(gateway, used) == used
        assert not held(gateway, early[0])


def test_an_index_in_use_keeps_its_platforms(upstream):
    children = [add(upstream, "multi", layers=2, tag=platform) for platform in ("x", "y")]
    upstream.add_index("multi", "1", children)
    names = [f"app{number}" for number in range(10)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        manifest(gateway, "1", "multi")
        parts = {digest for child in children for digest in pull_image(gateway, child, "multi")}
        early = use(gateway, upstream, *names[:5])
        a_moment_later()
        manifest(gateway, "1", "multi")
        use(gateway, upstream, *names[5:])
        wait_for_room(gateway, MIB)
        assert held(gateway, parts) == parts
        assert not held(gateway, early[0])


# What counts, and how much.


def test_content_of_several_repositories_counts_once(upstream):
    shared = patterned(600_000, seed=1)
    for name in ("one", "two", "three"):
        add(upstream, name, shared=[shared])
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        images = use(gateway, upstream, "one", "two", "three")
        one = use(gateway, upstream, "one")
        assert one == images[0]
        for image in images:
            assert held(gateway, image) == image


def test_a_layer_outlives_the_image_it_came_with(upstream):
    shared = patterned(300_000, seed=1)
    add(upstream, "old", layers=2, shared=[shared])
    add(upstream, "new", layers=1, shared=[shared])
    names = [f"app{number}" for number in range(7)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        old, new = use(gateway, upstream, "old", "new")
        use(gateway, upstream, *names[:2])
        a_moment_later()
        manifest(gateway, "1", "new")
        use(gateway, upstream, *names[2:])
        wait_until_gone(gateway, old - new)
        assert held(gateway, new) == new
        assert len(upstream.seen("GET", digest_of(shared))) == 1


@pytest.mark.parametrize("pattern", ["up/keep/**", "up/keep/*:1", "up/**:1"])
def test_what_is_to_be_kept_stays(upstream, pattern):
    add(upstream, "keep/app", layers=3)
    names = [f"app{number}" for number in range(12)]
    for name in names:
        add(upstream, name, tag="2")
    with serving(upstream, {"max_size": "1MiB", "keep": [pattern]}) as gateway:
        wanted = use(gateway, upstream, "keep/app")
        first = pull_image(gateway, "2", names[0])
        for name in names[1:]:
            pull_image(gateway, "2", name)
        wait_until_gone(gateway, first)
        assert held(gateway, wanted) == wanted


def test_a_pattern_for_tags_keeps_no_others(upstream):
    add(upstream, "app", tag="3.1")
    add(upstream, "app", tag="2.0")
    names = [f"app{number}" for number in range(12)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB", "keep": ["up/app:3.*"]}) as gateway:
        wanted, unwanted = pull_image(gateway, "3.1"), pull_image(gateway, "2.0")
        use(gateway, upstream, *names)
        wait_until_gone(gateway, unwanted - wanted)
        assert held(gateway, wanted) == wanted


def test_what_was_not_used_for_max_age_goes(upstream):
    add(upstream, "used")
    add(upstream, "unused")
    with serving(upstream, {"max_age": "3s"}) as gateway:
        used, unused = use(gateway, upstream, "used", "unused")

        def is_gone():
            manifest(gateway, "1", "used")
            return not held(gateway, unused)

        wait_until(is_gone, "what is not used to go", 90, every=0.2)
        assert held(gateway, used) == used


def test_without_a_limit_everything_stays(upstream):
    names = [f"app{number}" for number in range(20)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "0", "max_age": "0s"}) as gateway:
        images = use(gateway, upstream, *names)
        gateway.restart()
        for image in images:
            assert held(gateway, image) == image


def test_a_lower_limit_counts_from_the_next_start(upstream):
    names = [f"app{number}" for number in range(20)]
    for name in names:
        add(upstream, name)
    with serving(upstream) as gateway:
        images = use(gateway, upstream, *names)
        gateway.set_cache(max_size="1MiB")
        gateway.restart()
        wait_for_room(gateway, MIB)
        assert held(gateway, images[-1]) == images[-1], "the order of use was forgotten"
        assert not held(gateway, images[0])


# While others read and fill.


def test_content_being_read_stays(upstream):
    size = 8 * MIB
    data = patterned(size, seed=1)
    digest = upstream.add_blob("read", data)
    names = [f"app{number}" for number in range(40)]
    for name in names:
        add(upstream, name, layers=3)
    with serving(upstream, {"max_size": "10MiB"}) as gateway:
        assert_right(pull(gateway, digest, "read"), data)
        with raw_http.Wire(gateway.host, deadline=60, receive_buffer=4096) as slow:
            slow.send(raw_http.request("GET", f"/v2/read/blobs/{digest}", gateway.host))
            answer = slow.begin()
            first = use(gateway, upstream, names[0])
            use(gateway, upstream, *names[1:])
            wait_until_gone(gateway, first)
            assert kept(gateway, digest)
            assert_right(slow.finish(answer), data)


def test_a_blob_larger_than_the_cache_is_served(upstream):
    data = patterned(3 * MIB, seed=1)
    digest = upstream.add_blob("app", data)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(pull, gateway, digest) for _ in range(4)]:
                assert_right(future.result(), data)
        wait_for_room(gateway, MIB)
        # Nothing is wrong, so it is told once and as no warning.
        assert_right(pull(gateway, digest), data)
        lines = [json.loads(line) for line in gateway.stderr().splitlines()]
        about = [line for line in lines if digest in line.get("content", "")]
        assert [(line["level"], line["bytes"], line["max_size"]) for line in about] == [
            ("info", len(data), MIB)]
        assert "larger than cache.max_size" in about[0]["message"]


def test_pulls_go_on_while_the_cache_turns_over(upstream):
    names = [f"app{number}" for number in range(30)]
    for name in names:
        add(upstream, name, layers=2)
    with serving(upstream, {"max_size": "1MiB"}) as gateway, ThreadPoolExecutor(6) as pool:
        order = sorted(names * 4, key=lambda name: hash_of(name, len(name)))
        order = [order[(number * 37) % len(order)] for number in range(len(order))]
        assert all(pool.map(lambda name: pull_image(gateway, "1", name), order))
        wait_for_room(gateway, MIB)
        assert stored.damaged(gateway.cache_directory) == []
        assert {record.status for record in gateway.records()} == {200}


def test_the_space_is_returned(upstream):
    names = [f"app{number}" for number in range(30)]
    for name in names:
        add(upstream, name)
    with serving(upstream, {"max_size": "1MiB"}) as gateway:
        use(gateway, upstream, *names)
        wait_for_room(gateway, MIB)
        files = len(stored.files(gateway.cache_directory))
        assert stored.bytes_held(gateway.cache_directory) <= MIB + files * 4096
        # Nor is it held by a file that is open and has no name any more.
        assert stored.open_but_removed(gateway.pid) == []


# A real client.


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_a_client_pulls_what_stayed_and_what_went(client, tmp_path):
    """Three images of 400 KiB where two have room."""
    with Registry(tmp_path) as registry, serving(registry, {"max_size": "1MiB"}) as gateway:
        for name in ("first", "second", "third"):
            image = images.image([images.noise_layer(f"evicted-{name}", 400_000)])
            images.push(registry.url, f"evicted/{name}", image, "1")
        for name in ("first", "second", "third"):
            for _ in range(2):
                client.pull(gateway.host, f"evicted/{name}", "1")
        wait_for_room(gateway, MIB)
        seen = len(gateway.records(outcome="fill"))
        client.pull(gateway.host, "evicted/third", "1")
        client.pull(gateway.host, "evicted/second", "1")
        assert len(gateway.records(outcome="fill")) == seen
        client.pull(gateway.host, "evicted/first", "1")
        assert len(gateway.records(outcome="fill")) > seen
