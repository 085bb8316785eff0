# SPDX-License-Identifier: Apache-2.0
"""A cache whose disk fails, or is changed behind its back: pulls go on, and the cache heals.

What a client gets is right or visibly incomplete, whatever lies on the disk. Where something can
only be found by reading everything, the test waits for the scrub.
"""

import os
import random
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest
from testbed import images, stored
from testbed.disk import fill, read_only, small_disk
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import assert_right, fetch, kept, manifest, pull, pull_image, serving
from testbed.registry import Registry
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

MIB = 1 << 20
LAYER = patterned(600_000, seed=1)
OTHER = patterned(600_000, seed=2)


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.digest = server.add_blob("app", LAYER)
        server.other = server.add_blob("app", OTHER)
        yield server


def wait_for_hit(gateway, target):
    """Asks until it is answered from the disk: so much is certainly stored, and no fill that has
    its file still open is joined any more."""
    def is_hit():
        assert fetch(gateway, target).status == 200
        records = gateway.records(method="GET", target=target)
        return records and records[-1].outcome == "hit"

    wait_until(is_hit, "a hit", 20, every=0.02)


def pull_and_keep(gateway, digest, data):
    assert_right(pull(gateway, digest), data)
    wait_for_hit(gateway, f"/v2/app/blobs/{digest}")


def path_of(gateway, digest):
    return stored.files(gateway.cache_directory)[digest]


def transfers(upstream, digest):
    return len(upstream.seen("GET", "/blobs/" + digest))


def assert_healed(gateway, upstream, digest, data):
    """Kept again, with the right bytes, and served without a further transfer."""
    def is_kept():
        assert_right(pull(gateway, digest), data)
        return kept(gateway, digest)

    wait_until(is_kept, "the blob to be kept again", 30, every=0.05)
    assert stored.damaged(gateway.cache_directory) == []
    before = transfers(upstream, digest)
    assert_right(pull(gateway, digest), data)
    assert transfers(upstream, digest) == before


# The disk is full.


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A registry with an image of 300 MiB and a small one."""
    storage = tmp_path_factory.mktemp("huge")
    layer = images.PatternBlob(300 * MIB, seed=4)
    images.place_blob(storage, "team/huge", layer)
    with Registry(storage) as registry:
        registry.image = images.large_image(layer)
        registry.layer = layer
        images.push(registry.url, "team/huge", registry.image, "1")
        registry.small = images.image([images.noise_layer("small", 100_000)])
        images.push(registry.url, "team/small", registry.small, "1")
        yield registry
    shutil.rmtree(storage)


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_an_image_larger_than_the_disk(client, huge, tmp_path):
    config = {"registries": {"up": {"url": huge.url}}, "routes": [{"match": "", "to": "up/"}]}
    with small_disk(tmp_path / "disk", "64m") as disk:
        with Fairlead({**config, "cache": {"directory": str(disk)}}) as gateway:
            assert client.pull(gateway.host, "team/huge", "1") == {huge.image.digest}
            gateway.wait_until_idle()
            assert kept(gateway, huge.layer.digest) == []

            # With the disk full of other things too, and then with room again.
            ballast = fill(disk, leave=50_000)
            assert client.pull(gateway.host, "team/small", "1") == {huge.small.digest}
            ballast.unlink()

            def is_cached():
                client.pull(gateway.host, "team/small", "1")
                return all(kept(gateway, blob.digest) for blob in huge.small.blobs)

            wait_until(is_cached, "the cache to be used again", 60, every=0.2)
            assert {r.status for r in gateway.records(method="GET")} <= {200, 206}


def test_a_full_disk_takes_nothing_that_is_to_be_kept(upstream, tmp_path):
    """What else was stored may go, to make room for what is pulled now."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        cache = {"directory": str(disk), "fresh_for": "0s", "keep": ["up/app:1"]}
        with serving(upstream, cache) as gateway:
            upstream.add_image("app", "1", [LAYER])
            image = pull_image(gateway, "1")
            gateway.wait_until_idle()
            ballast = fill(disk, leave=0)
            for number in range(5):
                upstream.add_image("app", f"full{number}", [patterned(400_000, seed=number)])
                pull_image(gateway, f"full{number}")
            gateway.kill()
            ballast.unlink()
            gateway.restart()
            assert image <= set(stored.files(disk))
            assert pull_image(gateway, "1") == image
            assert transfers(upstream, upstream.digest) == 1
            assert_healed(gateway, upstream, upstream.other, OTHER)


def test_a_disk_that_is_full_at_the_start(upstream, tmp_path):
    """What is stored is served, and room is made for what is not."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        with serving(upstream, {"directory": str(disk)}) as gateway:
            pull_and_keep(gateway, upstream.digest, LAYER)
            gateway.terminate()
            gateway.wait()
            ballast = fill(disk, leave=0)
            gateway.start()
            assert_right(pull(gateway, upstream.digest), LAYER)
            assert transfers(upstream, upstream.digest) == 1
            ballast.unlink()
            assert_healed(gateway, upstream, upstream.other, OTHER)
            gateway.restart()
            assert_right(pull(gateway, upstream.digest), LAYER)
            assert transfers(upstream, upstream.digest) == 1


# The directory.


def test_a_directory_that_was_moved_away_and_back(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        away = gateway.directory / "away"
        gateway.cache_directory.rename(away)
        assert_right(pull(gateway, upstream.digest), LAYER)
        away.rename(gateway.cache_directory)
        before = transfers(upstream, upstream.digest)
        assert_right(pull(gateway, upstream.digest), LAYER)
        assert transfers(upstream, upstream.digest) == before


def test_a_directory_of_somebody_else(upstream, tmp_path):
    (tmp_path / "home" / "tmp").mkdir(parents=True)
    precious = tmp_path / "home" / "tmp" / "precious"
    precious.write_text("mine")
    with pytest.raises(AssertionError, match="is not empty and no Fairlead cache"):
        with serving(upstream, {"directory": str(tmp_path / "home")}):
            pass
    assert precious.read_text() == "mine"
    assert list((tmp_path / "home").iterdir()) == [tmp_path / "home" / "tmp"]


def test_a_directory_that_became_read_only(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        with read_only(gateway.cache_directory):
            for _ in range(2):
                assert_right(pull(gateway, upstream.other), OTHER)
                assert_right(pull(gateway, upstream.digest), LAYER)
            assert transfers(upstream, upstream.digest) == 1
        assert_healed(gateway, upstream, upstream.other, OTHER)


def test_a_directory_that_vanished(upstream):
    upstream.add_image("app", "1", [LAYER, OTHER])
    with serving(upstream) as gateway:
        pull_image(gateway, "1")
        gateway.wait_until_idle()
        gateway.cache_directory.rename(gateway.directory / "gone")
        shutil.rmtree(gateway.directory / "gone", ignore_errors=True)
        for _ in range(3):
            pull_image(gateway, "1")
        upstream.add_image("app", "2", [patterned(1000, seed=3)])
        pull_image(gateway, "2")
        assert gateway.is_running
        gateway.restart()
        assert_healed(gateway, upstream, upstream.digest, LAYER)


# Files that were changed.


@pytest.mark.parametrize("size", [0, 1000, len(LAYER) - 1])
def test_a_truncated_file_is_noticed_when_opened(upstream, size):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        stored.truncate(path_of(gateway, upstream.digest), size)
        assert_healed(gateway, upstream, upstream.digest, LAYER)
        assert transfers(upstream, upstream.digest) == 2


def test_a_file_that_was_deleted_is_fetched_again(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        path_of(gateway, upstream.digest).unlink()
        assert_healed(gateway, upstream, upstream.digest, LAYER)
        assert transfers(upstream, upstream.digest) == 2


def test_a_truncated_manifest_is_fetched_again(upstream):
    digest = upstream.add_image("app", "1", [LAYER])
    with serving(upstream) as gateway:
        wait_for_hit(gateway, "/v2/app/manifests/1")
        stored.truncate(path_of(gateway, digest), 10)
        for reference in ("1", digest):
            assert digest_of(manifest(gateway, reference).body) == digest


@pytest.mark.parametrize("when", ["while it runs", "while it is down"])
def test_an_altered_file_is_found_by_the_scrub(upstream, when):
    with serving(upstream, {"scrub": "1s"}) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        pull_and_keep(gateway, upstream.other, OTHER)
        if when == "while it is down":
            gateway.terminate()
            gateway.wait()
        stored.alter(path_of(gateway, upstream.digest))
        if when == "while it is down":
            gateway.start()
        wait_until(lambda: not stored.damaged(gateway.cache_directory),
                   "the scrub to find what was altered", 60, every=0.1)
        assert_healed(gateway, upstream, upstream.digest, LAYER)
        assert transfers(upstream, upstream.other) == 1
        assert any(line["level"] in ("warn", "error") and upstream.digest in str(line)
                   for line in gateway.log())


def test_what_the_scrub_threw_away_is_an_error_without_the_upstream(upstream):
    with serving(upstream, {"scrub": "1s"}) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        stored.alter(path_of(gateway, upstream.digest))
        wait_until(lambda: not stored.damaged(gateway.cache_directory),
                   "the scrub to find what was altered", 60, every=0.1)
        upstream.stop()
        assert pull(gateway, upstream.digest).status in (502, 504)


def test_a_truncated_file_is_an_error_without_the_upstream(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        stored.truncate(path_of(gateway, upstream.digest), 1000)
        upstream.stop()
        assert pull(gateway, upstream.digest).status in (502, 504)


# The cache index.


def wait_until_indexed(gateway, digest):
    """Files are taken in again beside the first requests, which may come too early for them."""
    def is_there():
        try:
            return digest in stored.indexed_digests(gateway.cache_directory)
        except sqlite3.Error:
            return False  # copied in the middle of a write

    wait_until(is_there, "the index to know the file", 20, every=0.05)


def damage_header(path):
    path.write_bytes(random.Random(1).randbytes(20_000))


def damage_middle(path):
    """The first page stays, so that it looks like a database."""
    data = path.read_bytes()
    path.write_bytes(data[:4096] + random.Random(1).randbytes(max(4096, len(data) - 4096)))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [damage_header, damage_middle, cut_short])
def test_a_corrupt_index_is_moved_aside_and_made_anew(upstream, damage):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        gateway.terminate()
        gateway.wait()
        stored.merge_log(gateway.cache_directory)
        damage(stored.index_path(gateway.cache_directory))
        gateway.start()
        warnings = [line for line in gateway.log() if line["level"] in ("warn", "error")]
        assert any("index.db" in str(line) for line in warnings), gateway.stderr()
        aside = [each for each in gateway.cache_directory.iterdir()
                 if each.name.startswith("index.db") and each.name not in
                 ("index.db", "index.db-wal", "index.db-shm")]
        assert aside, "the damaged file was not kept for inspection"

        wait_until_indexed(gateway, upstream.digest)
        # Whose the content was is lost, the content is not: a HEAD is enough.
        assert_right(pull(gateway, upstream.digest), LAYER)
        assert gateway.wait_for_records(1)[0].outcome == "hit"
        assert transfers(upstream, upstream.digest) == 1
        assert upstream.seen("HEAD", "/v2/app/blobs/" + upstream.digest)


def test_without_its_index_the_content_is_still_there(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        gateway.terminate()
        gateway.wait()
        for path in gateway.cache_directory.glob("index.db*"):
            path.unlink()
        gateway.start()
        wait_until_indexed(gateway, upstream.digest)
        assert_right(pull(gateway, upstream.digest), LAYER)
        assert transfers(upstream, upstream.digest) == 1


def test_an_index_of_a_newer_version_is_left_alone(upstream):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        gateway.terminate()
        gateway.wait()
        path = stored.index_path(gateway.cache_directory)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 9999")
        files = stored.files(gateway.cache_directory)
        with Fairlead(gateway.config, ready=False) as newer:
            assert newer.wait() == 1
            said = newer.stderr()
            assert "index.db" in said and "newer" in said
        assert stored.query(gateway.cache_directory, "PRAGMA user_version") == [(9999,)]
        assert stored.files(gateway.cache_directory) == files


# Two at once.


@pytest.mark.parametrize("first", ["runs", "is stopped for a while"])
def test_a_directory_belongs_to_one_process(upstream, first):
    with serving(upstream) as gateway:
        pull_and_keep(gateway, upstream.digest, LAYER)
        if first != "runs":
            os.kill(gateway.pid, signal.SIGSTOP)
        try:
            with Fairlead(gateway.config, ready=False) as second:
                assert second.wait() == 1
                assert str(gateway.cache_directory) in second.stderr()
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        assert_right(pull(gateway, upstream.digest), LAYER)
        assert_right(pull(gateway, upstream.other), OTHER)
