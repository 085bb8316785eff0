# SPDX-License-Identifier: Apache-2.0
"""Bodies of any size pass as they come: in constant memory, at the pace of whoever is slower, and not
before the registry wants them."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testbed import images
from testbed.pulling import IMPATIENT
from testbed.push_protocol import Repository
from testbed.raw_http import Wire
from testbed.registry import Registry
from testbed.streaming import (  # noqa: F401
    DATA,
    DIGEST,
    GIB,
    KIB,
    MIB,
    begun,
    gateway,
    serving,
    sink,
)
from testbed.upstream_faults import patterned
from testbed.uploader import Uploader

LITTLE_MEMORY = 64 * MIB
# What the kernel takes on the way, between three programs.
UNDERWAY = 40 * MIB


def files_open(gateway):
    """The sizes of the regular files it has open, but for the cache index."""
    found = []
    for each in Path(f"/proc/{gateway.pid}/fd").iterdir():
        try:
            if each.is_file() and "index.db" not in str(each.readlink()):
                found.append(each.stat().st_size)
        except FileNotFoundError:
            pass        # closed just now
    return found


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
                spooled = [each for each in files_open(gateway) if each > 8 * MIB]
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


@pytest.mark.parametrize("write_through", [False, True], ids=["passed", "kept"])
def test_many_at_once(sink, write_through):
    blob = images.PatternBlob(24 * MIB, seed=7)

    def push(number):
        app, at = begun(gateway, f"team/app{number}")
        return app.put(at, blob.digest, blob.chunks(), {"Content-Length": str(blob.size)}).status

    with serving(sink, write_through) as gateway:
        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(push, range(40))) == {201}
        assert gateway.peak_rss_bytes() < LITTLE_MEMORY


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


@pytest.mark.parametrize("continues", [True, False], ids=["continues", "silent"])
def test_a_slow_upload_holds_up_nobody(sink, continues):
    """Though it is the first that the registry hears of, and has not answered."""
    with serving(sink, server={"workers": 1}) as gateway:
        _, at = begun(gateway)
        gateway.restart()
        sink.continues = continues
        gate = sink.gate()
        sink.hold_after = (1, gate)
        with Uploader(gateway.host, "PATCH", at, MIB) as upload:
            upload.send(DATA[:1000])
            gate.wait_reached()
            other = Repository(gateway.url, "team/other")
            with Wire(gateway.host, deadline=5) as wire:
                wire.send(f"POST {other.target('blobs/uploads/')} HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 0\r\n\r\n".encode())
                assert wire.response("POST").status == 202


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


@pytest.mark.parametrize("size", [1, 1000, MIB, len(DATA), None])
def test_no_byte_before_the_registry_wants_it(sink, gateway, size):
    """Few bytes or many: a registry that asks for a login first must not cost a body that cannot be
    sent twice."""
    app, at = begun(gateway)
    data = DATA[:size]
    gate = sink.before_continue = sink.gate()
    with Uploader(gateway.host, "PATCH", at, size, expect=True) as upload:
        gate.wait_reached()
        with pytest.raises(TimeoutError):
            upload.wanted(deadline=0.4)
        assert sink.transfers[-1].headers["expect"] == "100-continue"
        gate.open()
        assert upload.wanted()
        upload.send(data)
        answer = upload.response() if size else upload.finish()
        assert answer.status == 202
    assert app.put(at, images.sha256(data)).status == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("status,code", [(413, "SIZE_INVALID"), (404, "BLOB_UPLOAD_UNKNOWN"),
                                         (403, "DENIED"), (400, "BLOB_UPLOAD_INVALID")])
def test_what_the_registry_refuses_is_not_sent(sink, gateway, method, status, code):
    _, at = begun(gateway)
    sink.refusal = (status, code)
    with Uploader(gateway.host, method, f"{at}?digest={DIGEST}" if method == "PUT" else at, GIB,
                  expect=True) as upload:
        answer = upload.response()
    assert (answer.status, answer.interim, answer.error_codes()) == (status, [], [code])
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


# Connections.


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
        wire.send(f"PUT {at}?digest={DIGEST} HTTP/1.1\r\nHost: {gateway.host}\r\n"
                  "Content-Length: 0\r\n\r\n".encode())
        assert wire.response("PUT").status == 201


def test_a_request_in_the_same_packet_as_the_end_of_a_body(sink, gateway):
    app, at = begun(gateway)
    with Wire(gateway.host) as wire:
        head = f"PATCH {at} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        behind = f"GET {at} HTTP/1.1\r\nHost: x\r\n\r\n"
        wire.send(head.encode() + DATA[:1000] + behind.encode())
        assert wire.response("PATCH").status == 202
        told = wire.response()
        assert (told.status, told.header("Range")) == (204, "0-999")


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
