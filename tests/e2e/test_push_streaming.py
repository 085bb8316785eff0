# SPDX-License-Identifier: Apache-2.0
"""Bodies of any size pass as they come: in constant memory, at the pace of whoever is slower, not
before the registry wants them; and whatever is cut is cut on both sides."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testbed import images
from testbed.pulling import IMPATIENT
from testbed.pushing import Repository, codes, writable
from testbed.raw_http import Wire
from testbed.registry import Registry
from testbed.upload_sink import UploadSink
from testbed.upstream_faults import patterned
from testbed.uploader import Uploader
from testbed.waiting import wait_until

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
STALL = 60      # seconds of silence after which a client is given up
DATA = patterned(3 * MIB, seed=11)
DIGEST = images.sha256(DATA)
LITTLE_MEMORY = 64 * MIB
# What the kernel takes on the way, between three programs.
UNDERWAY = 40 * MIB


@pytest.fixture
def sink():
    with UploadSink() as server:
        yield server


@pytest.fixture
def gateway(sink):
    """Does not keep what is pushed, so that nothing of it is to be on the disk."""
    with serving(sink) as running:
        yield running


def serving(upstream, write_through=False, **more):
    return writable(upstream, cache={"write_through": write_through}, **more)


def begun(gateway, name="team/app"):
    """A repository, and where its upload goes on."""
    app = Repository(gateway.url, name)
    answer = app.open()
    assert answer.status == 202, answer.body
    return app, app.where(answer)


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.pid}/fd"))


def files_open(gateway):
    """The regular files it has open, without the cache index, by size."""
    found = {}
    for each in Path(f"/proc/{gateway.pid}/fd").iterdir():
        try:
            if each.is_file() and "index.db" not in str(each.readlink()):
                found[str(each.readlink())] = each.stat().st_size
        except FileNotFoundError:
            pass
    return found


def wait_for_range(app, at, end):
    wait_until(lambda: app.status(at).headers["Range"] == f"0-{end}", f"the registry to have {end + 1}")


# Memory.


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_five_gibibytes(sink, gateway, framing):
    size = 5 * GIB if framing == "length" else GIB
    blob, hasher = images.PatternBlob(size, seed=5), hashlib.sha256()
    app, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at, size if framing == "length" else None,
                  deadline=60) as upload:
        for number, chunk in enumerate(blob.chunks()):
            hasher.update(chunk)
            upload.send(chunk)
            if number % 512 == 100:
                spooled = [each for each in files_open(gateway).values() if each > 8 * MIB]
                assert spooled == [], "it goes by way of a file"
        answer = upload.finish(60) if framing == "chunked" else upload.response(60)
    assert answer.status == 202 and answer.header("Range") == f"0-{size - 1}"
    assert app.put(answer.header("Location"), "sha256:" + hasher.hexdigest()).status == 201
    assert sink.received == size
    assert gateway.peak_rss_bytes() < LITTLE_MEMORY
    assert gateway.unfinished() == []


def test_half_a_gibibyte_that_is_kept(tmp_path):
    """To a real registry, and onto our own disk on the way: no more memory for that."""
    blob = images.PatternBlob(512 * MIB, seed=6)
    with Registry() as registry, serving(registry, write_through=True) as gateway:
        app, at = begun(gateway)
        answer = app.put(at, blob.digest, blob.chunks(), {"Content-Length": str(blob.size)},
                         timeout=120)
        assert answer.status == 201
        assert gateway.peak_rss_bytes() < LITTLE_MEMORY
        registry.forget()
        assert app.blob(blob.digest).digest == blob.digest
        assert registry.count("GET", "/blobs/") == 0


def test_a_slow_registry_slows_the_client(sink, gateway):
    app, at = begun(gateway)
    gate = sink.gate()
    sink.hold_after = (MIB, gate)
    size = 256 * MIB
    piece = patterned(64 * KIB, seed=2)
    with Uploader(gateway.host, "PATCH", at, size) as upload:
        upload.send_until_stuck(piece, quiet=2)
        assert gate.reached.is_set()
        assert MIB < upload.sent < UNDERWAY
        first = gateway.rss_bytes()
        assert upload.send_until_stuck(piece, quiet=1) == 0
        assert gateway.rss_bytes() <= first + MIB
        assert Repository(gateway.url, "team/other").open().status == 202, "all stand still"
        sink.heal()
        gate.open()
        already = upload.sent
        left = size - already
        for start in range(0, left, len(piece)):
            begin = (already + start) % len(piece)
            wanted = min(len(piece), left - start)
            upload.send((piece[begin:] + piece[:begin])[:wanted])
        assert upload.response(60).status == 202
    expected = hashlib.sha256()
    for _ in range(size // len(piece)):
        expected.update(piece)
    assert app.put(at, "sha256:" + expected.hexdigest()).status == 201
    assert gateway.peak_rss_bytes() < LITTLE_MEMORY


def test_many_slow_uploads_take_little(sink, gateway):
    gate = sink.gate()
    sink.hold_after = (64 * KIB, gate)
    piece = bytes(64 * KIB)

    def stuck(number):
        _, at = begun(gateway, f"team/app{number}")
        upload = Uploader(gateway.host, "PATCH", at, GIB)
        upload.send_until_stuck(piece, quiet=2)
        return upload

    with ThreadPoolExecutor(20) as pool:
        uploads = list(pool.map(stuck, range(20)))
    try:
        assert all(upload.sent < UNDERWAY for upload in uploads)
        assert gateway.peak_rss_bytes() < LITTLE_MEMORY
    finally:
        for upload in uploads:
            upload.cut()


# 100 Continue.


def test_no_byte_before_the_registry_wants_it(sink, gateway):
    app, at = begun(gateway)
    gate = sink.before_continue = sink.gate()
    with Uploader(gateway.host, "PATCH", at, len(DATA), expect=True) as upload:
        gate.wait_reached()
        with pytest.raises(TimeoutError):
            upload.wanted(deadline=0.4)
        assert sink.transfers[-1].headers["expect"] == "100-continue"
        gate.open()
        assert upload.wanted()
        upload.send(DATA)
        assert upload.response().status == 202
    assert app.put(at, DIGEST).status == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("status,code,seen", [(413, "SIZE_INVALID", 413), (404, "BLOB_UPLOAD_UNKNOWN", 404),
                                              (403, "DENIED", 403), (400, "BLOB_UPLOAD_INVALID", 400)])
def test_what_the_registry_refuses_is_not_sent(sink, gateway, method, status, code, seen):
    _, at = begun(gateway)
    sink.refusal = (status, code)
    with Uploader(gateway.host, method, f"{at}?digest={DIGEST}" if method == "PUT" else at, GIB,
                  expect=True) as upload:
        answer = upload.response()
    assert (answer.status, answer.interim, answer.error_codes()) == (seen, [], [code])
    assert sink.received == 0


def test_what_we_refuse_is_not_sent(sink, gateway):
    app, _ = begun(gateway)
    for target in (app.target("blobs/uploads/no-session"), "/v2/Bad/blobs/uploads/no-session"):
        with Uploader(gateway.host, "PATCH", target, GIB, expect=True) as upload:
            answer = upload.response()
        assert answer.status in (400, 404) and answer.interim == []
    assert sink.transfers == []


def test_what_is_denied_is_not_sent(sink):
    for auth, status in (({}, 403), ({"anonymous": []}, 401)):
        with serving(sink, auth=auth, of_all={"allow": ["pull"]}) as gateway:
            with Uploader(gateway.host, "PUT", "/v2/team/app/manifests/1", 1000,
                          expect=True) as upload:
                answer = upload.response()
        assert answer.status in ({403} if status == 403 else {401, 403}) and answer.interim == []


@pytest.mark.parametrize("expect", [False, True], ids=["plain", "expecting"])
def test_a_registry_that_knows_no_100_continue(sink, gateway, expect):
    sink.continues = False
    app, at = begun(gateway)
    began = time.monotonic()
    with Uploader(gateway.host, "PATCH", at, len(DATA), expect=expect) as upload:
        if expect:
            assert upload.wanted(deadline=10)
        upload.send(DATA)
        assert upload.response().status == 202
    assert time.monotonic() - began < 8
    assert app.put(at, DIGEST).status == 201


def test_a_client_that_sends_before_it_is_wanted(sink, gateway):
    app, at = begun(gateway)
    gate = sink.before_continue = sink.gate()
    with Uploader(gateway.host, "PATCH", at, len(DATA)) as upload:
        upload.send(DATA[:1000])
        gate.wait_reached()
        gate.open()
        upload.send(DATA[1000:])
        answer = upload.response()
    assert (answer.status, answer.interim) == (202, [])
    assert app.put(at, DIGEST).status == 201


# Clients that go away, and slow ones.


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("length", [None, len(DATA)], ids=["chunked", "length"])
def test_a_client_that_goes_away_can_go_on(sink, gateway, length, reset):
    app, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at, length) as upload:
        upload.send(DATA[:MIB])
        wait_until(lambda: sink.received == MIB, "all of it to arrive")
        upload.cut(reset)
    wait_until(lambda: sink.transfers[-1].ended, "the registry to be told")
    assert sink.transfers[-1].ended == "cut", "a part of a body was passed for the whole"
    told = app.status(at)
    assert (told.status, told.headers["Range"]) == (204, f"0-{MIB - 1}")
    sent = app.patch(told, DATA[MIB:2 * MIB], first=MIB)
    assert sent.status == 202
    assert app.put(sent, DIGEST, DATA[2 * MIB:]).status == 201
    wait_until(lambda: gateway.unfinished() == [], "nothing to be left")


def test_a_client_that_goes_away_is_as_if_he_asked_the_registry():
    """docker-registry does not go on with what was cut; nor does it through us."""
    told = []
    with Registry() as registry, serving(registry) as gateway:
        for name, side in (("team/ours", gateway), ("team/theirs", registry)):
            app, at = begun(side, name)
            with Uploader(side.host, "PATCH", at, len(DATA)) as upload:
                upload.send(DATA[:MIB])
                upload.cut(reset=False)
            wait_until(lambda: registry.count("PATCH", name), "the registry to notice")
            answer = app.status(at)
            told.append((answer.status, codes(answer) if answer.body else []))
            assert app.push(DATA) == DIGEST
    assert told[0] == told[1]


@pytest.mark.parametrize("write_through", [False, True], ids=["passed", "kept"])
def test_nothing_leaks(sink, write_through):
    with serving(sink, write_through) as gateway:
        def cut_one(number):
            app, at = begun(gateway, f"team/app{number % 3}")
            with Uploader(gateway.host, "PATCH", at) as upload:
                upload.send(DATA[:100 * KIB])
                before = sink.received
                wait_until(lambda: sink.received > before or sink.transfers[-1].received,
                           "some of it to arrive")
                upload.cut()
            wait_until(lambda: all(each.ended for each in sink.transfers), "the end of it")
            assert app.cancel(at).status == 204

        for number in range(3):
            cut_one(number)
        before = descriptors(gateway)
        for number in range(30):
            cut_one(number)
        wait_until(lambda: descriptors(gateway) <= before + 4, "the descriptors to be closed")
        wait_until(lambda: gateway.unfinished() == [], "nothing to be left")


def test_a_slow_client(sink):
    """However little comes, as long as it comes; the registry's time limits are for the registry."""
    with serving(sink, timeouts=IMPATIENT) as gateway:
        app, at = begun(gateway)
        with Uploader(gateway.host, "PATCH", at) as upload:
            upload.trickle(b"abcdef", pause=0.2)
            upload.trickle(b"gh", pause=3)
            answer = upload.finish()
        assert answer.status == 202 and answer.header("Range") == "0-7"
        assert app.put(at, images.sha256(b"abcdefgh")).status == 201


def test_what_comes_is_passed_on_at_once(sink, gateway):
    """And not collected until there is enough of it."""
    _, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at) as upload:
        for count in range(1, 4):
            upload.send(b"x")
            wait_until(lambda: sink.received == count, "one byte", timeout=5)
        assert upload.finish().status == 202


def test_a_client_that_falls_silent(sink, gateway):
    app, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at, len(DATA), deadline=2 * STALL) as upload:
        upload.send(DATA[:MIB])
        wait_until(lambda: sink.received == MIB, "all of it to arrive")
        began = time.monotonic()
        wait_until(lambda: sink.transfers[-1].ended, "the request to be cut", 2 * STALL, every=0.1)
        assert STALL - 5 < time.monotonic() - began < STALL + 20
        assert sink.transfers[-1].ended == "cut"
        answer = upload.response(10)
        assert answer is None or answer.status in (400, 408)
    told = app.status(at)
    assert (told.status, told.headers["Range"]) == (204, f"0-{MIB - 1}")
    assert app.put(app.patch(told, DATA[MIB:2 * MIB]), DIGEST, DATA[2 * MIB:]).status == 201


# Registries that go away, and hasty ones.


@pytest.mark.parametrize("length", [None, 64 * MIB], ids=["chunked", "length"])
def test_a_registry_that_goes_away(sink, gateway, length):
    app, at = begun(gateway)
    sink.cut_after = MIB
    with Uploader(gateway.host, "PATCH", at, length) as upload:
        if length:
            upload.send_until_stuck(bytes(64 * KIB), quiet=10)
        else:
            upload.send(bytes(MIB))
        answer = upload.response(15)
    assert answer is not None and answer.status == 502, answer
    assert answer.error_codes() == ["UNAVAILABLE"]
    sink.heal()
    assert app.open().status == 202


def test_a_registry_that_is_not_there(sink, gateway):
    _, at = begun(gateway)
    sink.stop()
    with Uploader(gateway.host, "PATCH", at, GIB, expect=True) as upload:
        answer = upload.response(20)
    assert answer.status in (502, 504) and answer.interim == []
    assert answer.error_codes() == ["UNAVAILABLE"]


def test_a_registry_that_never_answers(sink):
    """It took all of the body; its first byte is overdue."""
    with serving(sink, timeouts=IMPATIENT) as gateway:
        _, at = begun(gateway)
        gate = sink.gate()
        sink.hold_after = (len(DATA), gate)
        with Uploader(gateway.host, "PATCH", at, len(DATA)) as upload:
            upload.send(DATA)
            answer = upload.response(20)
        assert answer.status == 504 and answer.error_codes() == ["UNAVAILABLE"]


@pytest.mark.parametrize("length", [None, GIB], ids=["chunked", "length"])
def test_a_registry_that_answers_early(sink, gateway, length):
    """The client gets that answer, though he has not sent everything, and does not have to."""
    app, at = begun(gateway)
    sink.answer_after = (MIB, 413, "SIZE_INVALID")
    began = time.monotonic()
    with Uploader(gateway.host, "PATCH", at, length) as upload:
        if length:
            upload.send_until_stuck(bytes(64 * KIB), quiet=10)
        else:
            upload.send(bytes(2 * MIB))
        answer = upload.response(15)
    assert answer is not None and answer.status == 413, answer
    assert answer.error_codes() == ["SIZE_INVALID"]
    assert time.monotonic() - began < 15
    assert app.open().status == 202


# A gateway that dies.


def test_another_start_goes_on_with_an_upload(sink, gateway):
    _, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at, len(DATA)) as upload:
        upload.send(DATA[:MIB])
        wait_until(lambda: sink.received == MIB, "all of it to arrive")
        gateway.kill()
        assert upload.response() is None
    wait_until(lambda: sink.transfers[-1].ended == "cut", "the registry to notice")
    gateway.start()
    app = Repository(gateway.url, "team/app")
    told = app.status(at)
    assert (told.status, told.headers["Range"]) == (204, f"0-{MIB - 1}")
    sent = app.patch(told, DATA[MIB:2 * MIB], first=MIB)
    assert app.put(sent, DIGEST, DATA[2 * MIB:]).status == 201
    assert gateway.unfinished() == []


def test_stopped_in_mid_push_it_lets_the_push_end(sink):
    """SIGTERM: what is under way is finished within the time for that."""
    with serving(sink) as gateway:
        app, at = begun(gateway)
        with Uploader(gateway.host, "PATCH", at, len(DATA)) as upload:
            upload.send(DATA[:MIB])
            wait_until(lambda: sink.received == MIB, "all of it to arrive")
            gateway.terminate()
            upload.send(DATA[MIB:])
            assert upload.response().status == 202
        assert gateway.wait() == 0


def test_requests_behind_an_upload_on_one_connection(sink, gateway):
    """A connection is as good as new after a body that was read to its end."""
    app, at = begun(gateway)
    with Wire(gateway.host) as wire:
        for first in range(0, len(DATA), MIB):
            head = (f"PATCH {at} HTTP/1.1\r\nHost: {gateway.host}\r\nContent-Length: {MIB}\r\n"
                    f"Content-Range: {first}-{first + MIB - 1}\r\n\r\n")
            wire.send(head.encode() + DATA[first:first + MIB])
            answer = wire.response("PATCH")
            assert answer.status == 202
            at = answer.header("Location")
        wire.send(f"PUT {at}?digest={DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        assert wire.response("PUT").status == 201


def test_a_refused_body_does_not_become_a_request(sink, gateway):
    """What was not read of a body is not taken for the next request: that would be smuggling."""
    app, _ = begun(gateway)
    inner = b"DELETE /v2/team/app/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n"
    with Wire(gateway.host) as wire:
        wire.send(f"PATCH {app.target('blobs/uploads/none')} HTTP/1.1\r\nHost: x\r\n"
                  f"Content-Length: {len(inner)}\r\n\r\n".encode() + inner)
        assert wire.response("PATCH").status == 404
        second = None
        try:
            second = wire.response("DELETE", deadline=1)
        except TimeoutError:
            pass
        assert second is None
    assert not any(method == "DELETE" for method, _ in sink.requests)
