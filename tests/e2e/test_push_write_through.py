# SPDX-License-Identifier: Apache-2.0
"""Write-through: what is pushed through the gateway is verified on the way and kept, so that the
first pull is a hit; and whatever is in the way of keeping it is not in the way of pushing."""

import hashlib
from pathlib import Path

import pytest
from testbed import images, stored
from testbed.disk import fill, read_only, small_disk
from testbed.pulling import kept
from testbed.push_protocol import Repository, chunks, writable
from testbed.registry import Registry
from testbed.upload_sink import UploadSink
from testbed.uploader import Uploader
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until

KEY = "00112233445566778899aabbccddeeff" * 2
MIB = 1 << 20
DATA = patterned(MIB, seed=21)
DIGEST = images.sha256(DATA)
IMAGE = images.image([images.noise_layer("kept", 50_000), images.noise_layer("too", 100)])
BOTH = images.index([IMAGE, images.image([images.noise_layer("other", 500)], architecture="arm64")])


@pytest.fixture
def registry():
    with Registry() as found:
        yield found


@pytest.fixture
def gateway(registry):
    with writable(registry) as found:
        yield found


@pytest.fixture
def app(gateway):
    return Repository(gateway.url, "team/app")


def in_one_put(app):
    return app.put(app.open(), DIGEST, DATA)


def in_one_put_chunked(app):
    return app.put(app.open(), DIGEST, chunks(DATA, 10_000))


def in_one_patch(app):
    return app.put(app.patch(app.open(), DATA), DIGEST)


def in_patches(app):
    at = app.open()
    for first in range(0, len(DATA), 300_000):
        at = app.patch(at, DATA[first:first + 300_000], first=first)
    return app.put(at, DIGEST)


def with_the_end_in_the_put(app):
    return app.put(app.patch(app.patch(app.open(), DATA[:100]), chunks(DATA[100:5000])), DIGEST,
                   DATA[5000:])


WAYS = [in_one_put, in_one_put_chunked, in_one_patch, in_patches, with_the_end_in_the_put]


def assert_hit(gateway, registry, target, data):
    """From the cache, and so says the log."""
    registry.forget()
    app = Repository(gateway.url, "team/app")
    count = len(gateway.records(method="GET", target=target))
    answer = app.send("GET", target, headers={"Accept": f"{images.OCI_MANIFEST}, {images.OCI_INDEX}"})
    assert (answer.status, answer.body) == (200, data)
    records = gateway.wait_for_records(count + 1, method="GET", target=target)
    assert records[-1].outcome == "hit"
    assert registry.count("GET", target) == 0


def blob(digest=DIGEST):
    return f"/v2/team/app/blobs/{digest}"


def assert_nothing_of_it(gateway, digest):
    wait_until(lambda: gateway.unfinished() == [], "nothing to be on its way")
    assert kept(gateway, digest) == []


# Hits.


@pytest.mark.parametrize("push", WAYS)
def test_the_first_pull_is_a_hit(gateway, registry, app, push):
    assert push(app).status == 201
    assert_hit(gateway, registry, blob(), DATA)
    assert stored.damaged(gateway.cache_directory) == []
    assert gateway.unfinished() == []


def test_a_whole_image(gateway, registry, app):
    app.push_image(BOTH, "1")
    for content in (BOTH, *BOTH.children):
        assert_hit(gateway, registry, f"/v2/team/app/manifests/{content.digest}", content.manifest)
        for each in content.blobs:
            assert_hit(gateway, registry, blob(each.digest), each.data)
    assert_hit(gateway, registry, "/v2/team/app/manifests/1", BOTH.manifest)


@pytest.mark.parametrize("how", ["terminated", "killed"])
def test_after_a_restart_and_without_the_registry(gateway, registry, app, how):
    app.push_image(IMAGE, "1")
    gateway.wait_until_idle()
    if how == "killed":
        gateway.kill()
    gateway.restart()
    registry.stop()
    there = Repository(gateway.url, "team/app")
    for each in IMAGE.blobs:
        assert there.blob(each.digest).body == each.data
    assert there.manifest(IMAGE.digest).body == IMAGE.manifest
    assert there.manifest("1").body == IMAGE.manifest
    assert stored.damaged(gateway.cache_directory) == []


def test_at_once_when_the_registry_goes(gateway, registry, app):
    app.push_image(IMAGE, "1")
    registry.stop()
    assert app.manifest("1").body == IMAGE.manifest
    assert [app.blob(each.digest).body for each in IMAGE.blobs] == [each.data for each in IMAGE.blobs]


def test_it_is_in_the_repository_it_was_pushed_to_alone(registry, app):
    """That somebody pushed it here does not make it everybody's."""
    assert in_one_put(app).status == 201
    assert Repository(app.url, "team/other").blob(DIGEST).status == 404
    assert app.blob(DIGEST).status == 200


def test_what_is_kept_already_is_not_kept_twice(gateway, registry, app):
    for _ in range(3):
        assert in_one_put(app).status == 201
    assert_hit(gateway, registry, blob(), DATA)
    assert len(kept(gateway, DIGEST)) == 1 and gateway.unfinished() == []


def test_an_empty_blob(gateway, registry, app):
    assert app.put(app.open(), images.sha256(b"")).status == 201
    answer = app.blob(images.sha256(b""))
    assert (answer.status, answer.body) == (200, b"")


def test_sha512(gateway, registry, app):
    digest = "sha512:" + hashlib.sha512(DATA).hexdigest()
    assert app.put(app.patch(app.open(), DATA[:1000]), digest, DATA[1000:]).status == 201
    for _ in range(2):
        assert app.blob(digest).body == DATA
    assert stored.damaged(gateway.cache_directory) == []


@pytest.mark.parametrize("push", WAYS[:3])
def test_not_when_it_is_off(registry, push):
    with writable(registry, cache={"write_through": False}) as gateway:
        app = Repository(gateway.url, "team/app")
        assert push(app).status == 201
        assert kept(gateway, DIGEST) == [] and gateway.unfinished() == []
        assert app.blob(DIGEST).body == DATA
        [record] = gateway.wait_for_records(1, method="GET", target=blob())
        assert record.outcome == "fill"


# What is not kept.


@pytest.mark.parametrize("digest", [images.sha256(b"other"), "sha512:" + "0" * 128])
def test_a_wrong_digest(gateway, registry, app, digest):
    for at in (app.open(), app.patch(app.open(), DATA[:1000])):
        assert app.put(at, digest, DATA).status == 400
    for each in (digest, DIGEST):
        assert app.blob(each).status == 404
        assert_nothing_of_it(gateway, each)


def test_a_registry_that_takes_a_wrong_digest(tmp_path):
    """It says 201 to bytes that are not what they are called: they are not what we serve."""
    with UploadSink() as sink:
        sink.believes = True
        with writable(sink) as gateway:
            app = Repository(gateway.url, "team/app")
            for at in (app.open(), app.patch(app.open(), DATA[:1000])):
                app.put(at, images.sha256(b"other"), DATA)
            assert_nothing_of_it(gateway, images.sha256(b"other"))
            assert app.blob(images.sha256(b"other")).status != 200
            assert stored.damaged(gateway.cache_directory) == []


def test_what_the_registry_refuses_is_not_kept():
    with UploadSink() as sink, writable(sink) as gateway:
        app = Repository(gateway.url, "team/app")
        small, digest = DATA[:20_000], images.sha256(DATA[:20_000])
        at = app.patch(app.open(), small[:1000])
        sink.answer_after = (len(small) - 1000, 413, "SIZE_INVALID")
        assert app.put(at, digest, small[1000:]).status == 413
        sink.heal()
        assert app.cancel(at).status == 204
        assert_nothing_of_it(gateway, digest)


def test_an_upload_that_is_given_up_leaves_nothing(gateway, app):
    at = app.patch(app.open(), DATA)
    assert app.cancel(at).status == 204
    assert_nothing_of_it(gateway, DIGEST)


@pytest.mark.parametrize("by", ["first", "second"])
def test_half_through_another_process(registry, by):
    """Neither has it all, so neither keeps it; it is pushed all the same, and pulled as ever."""
    auth = {"keys": [KEY]}
    with writable(registry, auth=auth) as one, writable(registry, auth=auth) as two:
        here, there = (Repository(each.url, "team/app") for each in (one, two))
        at = there.patch(here.patch(here.open(), DATA[:400_000]), DATA[400_000:600_000])
        last = here if by == "first" else there
        assert last.put(at, DIGEST, DATA[600_000:]).status == 201
        for gateway in (one, two):
            assert kept(gateway, DIGEST) == []
        for app in (here, there):
            assert app.blob(DIGEST).body == DATA
        for gateway in (one, two):
            assert gateway.wait_for_records(1, method="GET", target=blob())[0].outcome == "fill"


def test_restarted_in_mid_push(gateway, app):
    """What passed before is not known to the next start."""
    at = app.where(app.patch(app.open(), DATA[:1000]))
    gateway.restart()
    there = Repository(gateway.url, "team/app")
    assert there.put(at, DIGEST, DATA[1000:]).status == 201
    assert kept(gateway, DIGEST) == []
    assert there.blob(DIGEST).body == DATA


def test_a_part_that_was_cut_and_sent_again():
    """What came of it counts where the registry says so. Kept or not, what is served is right."""
    with UploadSink() as sink, writable(sink) as gateway:
        app = Repository(gateway.url, "team/app")
        at = app.where(app.open())
        with Uploader(gateway.host, "PATCH", at) as upload:
            upload.send(DATA[:300_000])
            wait_until(lambda: sink.received == 300_000, "all of it to arrive")
            upload.cut()
        wait_until(lambda: sink.transfers[-1].ended, "the registry to notice")
        told = app.status(at)
        assert told.headers["Range"] == "0-299999"
        assert app.put(app.patch(told, DATA[300_000:900_000]), DIGEST, DATA[900_000:]).status == 201
        wait_until(lambda: gateway.unfinished() == [], "nothing to be on its way")
        assert stored.damaged(gateway.cache_directory) == []
        if kept(gateway, DIGEST):
            assert app.blob(DIGEST).body == DATA


def test_two_that_push_the_same_at_once(gateway, registry, app):
    first, second = app.where(app.open()), app.where(app.open())
    with (Uploader(gateway.host, "PATCH", first) as one,
          Uploader(gateway.host, "PATCH", second) as two):
        for start in range(0, len(DATA), 100_000):
            one.send(DATA[start:start + 100_000])
            two.send(DATA[start:start + 100_000])
        sent = [each.finish() for each in (one, two)]
    for answer in sent:
        assert app.put(answer.header("Location"), DIGEST).status == 201
    assert_hit(gateway, registry, blob(), DATA)
    assert gateway.unfinished() == []


def test_two_requests_of_one_upload_at_once(registry):
    """No client does that. Whatever the registry makes of it, nothing wrong is kept."""
    with UploadSink() as sink, writable(sink) as gateway:
        app = Repository(gateway.url, "team/app")
        at = app.where(app.open())
        with (Uploader(gateway.host, "PATCH", at) as one,
              Uploader(gateway.host, "PATCH", at) as two):
            for start in range(0, len(DATA), 50_000):
                each = one if start % 100_000 else two
                each.send(DATA[start:start + 50_000])
            for each in (one, two):
                each.finish()
        sink.believes = True
        app.put(at, DIGEST)
        wait_until(lambda: gateway.unfinished() == [], "nothing to be on its way")
        assert stored.damaged(gateway.cache_directory) == []
        assert gateway.is_running


def test_larger_than_the_cache(registry):
    with writable(registry, cache={"max_size": "2MiB"}) as gateway:
        app = Repository(gateway.url, "team/app")
        large = patterned(5 * MIB, seed=3)
        for push in WAYS:
            assert push(app).status == 201
        assert app.push(large) == images.sha256(large)
        assert app.blob(images.sha256(large)).body == large
        assert app.blob(DIGEST).body == DATA
        wait_until(lambda: stored.bytes_held(gateway.cache_directory) <= 2 * MIB,
                   "the cache to shrink")


# A disk that fails.


@pytest.mark.parametrize("push", WAYS)
def test_a_full_disk(registry, tmp_path, push):
    with small_disk(tmp_path / "disk", "16m") as disk:
        with writable(registry, cache={"directory": str(disk)}) as gateway:
            app = Repository(gateway.url, "team/app")
            assert app.push(b"a small one")
            ballast = fill(disk, leave=200_000)
            assert push(app).status == 201
            assert gateway.is_running
            assert app.blob(DIGEST).body == DATA
            assert Repository(registry.url, "team/app").blob(DIGEST).body == DATA
            assert kept(gateway, DIGEST) == []
            ballast.unlink()
            wait_until(lambda: gateway.unfinished() == [], "what is left of it to go")


def test_larger_than_the_disk(registry, tmp_path):
    blob_of_64 = images.PatternBlob(64 * MIB, seed=8)
    with small_disk(tmp_path / "disk", "16m") as disk:
        with writable(registry, cache={"directory": str(disk)}) as gateway:
            app = Repository(gateway.url, "team/app")
            answer = app.put(app.open(), blob_of_64.digest, blob_of_64.chunks(),
                             {"Content-Length": str(blob_of_64.size)}, timeout=60)
            assert answer.status == 201
            assert kept(gateway, blob_of_64.digest) == []
            assert app.push(b"a small one")
            assert app.manifest("none").status == 404


def test_a_disk_that_cannot_be_written(registry, tmp_path):
    directory = tmp_path / "cache"
    with writable(registry, cache={"directory": str(directory)}) as gateway:
        app = Repository(gateway.url, "team/app")
        app.push(b"a small one")
        with read_only(directory):
            app.push_image(IMAGE, "1")
            assert app.manifest("1").body == IMAGE.manifest
            assert in_patches(app).status == 201
        assert gateway.is_running


# A death in mid-push.


def test_killed_in_mid_push_it_leaves_no_rubbish(registry, gateway, app):
    at = app.patch(app.open(), DATA[:500_000])
    upload = Uploader(gateway.host, "PATCH", app.where(at))
    with upload:
        upload.send(DATA[500_000:700_000])
        gateway.kill()
    gateway.start()
    wait_until(lambda: gateway.unfinished() == [], "what the crash left to be removed")
    there = Repository(gateway.url, "team/app")
    assert there.blob(DIGEST).status == 404
    assert in_patches(there).status == 201
    assert_hit(gateway, registry, blob(), DATA)
    assert stored.damaged(gateway.cache_directory) == []
    extra = [path for path in Path(gateway.cache_directory).rglob("*") if path.is_file()
             and path.relative_to(gateway.cache_directory).parts[0] in ("tmp", "uploads")]
    assert extra == []
