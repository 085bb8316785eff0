# SPDX-License-Identifier: Apache-2.0
"""Clients that go away in the middle of a body, slow and silent ones, and a gateway that dies: what
is cut is cut on both sides, and the upload is as usable as the registry makes it."""

import os
import time

import pytest
from testbed import images
from testbed.pulling import IMPATIENT
from testbed.push_protocol import Repository, codes
from testbed.registry import Registry
from testbed.streaming import (  # noqa: F401
    DATA,
    DIGEST,
    KIB,
    MIB,
    begun,
    gateway,
    serving,
    sink,
)
from testbed.uploader import Uploader
from testbed.waiting import wait_until

STALL = 60      # seconds of silence after which a client is given up


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.pid}/fd"))


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


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefg\r\n0\r\n\r\n", b"\r\n\r\n",
                                 b"ffffffffffffffffff\r\n"])
def test_a_body_that_is_malformed_is_no_whole_one(sink, gateway, bad):
    """The attack: what one program takes for the end of a body, and another for the middle of it."""
    app, at = begun(gateway)
    with Uploader(gateway.host, "PATCH", at) as upload:
        upload.send(DATA[:KIB])
        wait_until(lambda: sink.received == KIB, "what came before")
        upload.wire.send(bad)
        answer = upload.response()
        assert answer is None or answer.status == 400
    wait_until(lambda: sink.transfers[-1].ended, "the registry to be told")
    assert sink.transfers[-1].ended == "cut"
    assert app.open().status == 202


@pytest.mark.parametrize("write_through", [False, True], ids=["passed", "kept"])
def test_nothing_leaks(sink, write_through):
    with serving(sink, write_through) as gateway:
        def cut_one(number):
            count = len(sink.transfers)
            app, at = begun(gateway, f"team/app{number % 3}")
            with Uploader(gateway.host, "PATCH", at) as upload:
                upload.send(DATA[:100 * KIB])
                wait_until(lambda: len(sink.transfers) > count and sink.transfers[-1].received,
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
