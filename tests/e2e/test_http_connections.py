# SPDX-License-Identifier: Apache-2.0
"""What honest clients rely on: how connections are kept, ended and shared by requests, and that an
answer can be read whatever the client is sending meanwhile.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import MANIFEST, FaultyUpstream
from testbed.raw_http import Wire, request
from testbed.upstream_faults import digest_of, patterned

BLOB = patterned(200_000, seed=3)
BLOB_TARGET = f"/v2/app/blobs/{digest_of(BLOB)}"
MANIFEST_BODY = b'{"schemaVersion":2}'
MANIFEST_TARGET = f"/v2/app/manifests/{digest_of(MANIFEST_BODY)}"


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream() as server:
        server.add_blob("app", BLOB)
        server.add_manifest("app", "1", MANIFEST_BODY)
        yield server


@pytest.fixture(scope="module")
def gateway(upstream):
    registries = {"up": {"url": upstream.url}}
    with Fairlead({"registries": registries, "routes": [{"match": "", "to": "up/"}]}) as fairlead:
        yield fairlead


def test_pipelined_requests_are_answered_in_order(gateway):
    order = [
        ("GET", BLOB_TARGET, 200),
        ("HEAD", BLOB_TARGET, 200),
        ("GET", "/v2/app/manifests/missing", 404),
        ("GET", MANIFEST_TARGET, 200),
        ("HEAD", MANIFEST_TARGET, 200),
        ("GET", "/v2/", 200),
    ]
    with Wire(gateway.host) as wire:
        sent = [request(method, target, gateway.host) for method, target, _ in order * 3]
        wire.send(b"".join(sent))
        for method, target, status in order * 3:
            answer = wire.response(method)
            assert (answer.status, answer.complete) == (status, True)
            if target in (BLOB_TARGET, MANIFEST_TARGET):
                assert answer.header("Docker-Content-Digest") == target.rpartition("/")[2]
            if (method, target) == ("GET", BLOB_TARGET):
                assert answer.body == BLOB


@pytest.mark.parametrize(
    "target, status",
    [("/v2/app/manifests/1", 200), ("/v2/app/manifests/missing", 404), ("/nowhere", 404)],
)
def test_head_has_no_body_and_the_same_length(gateway, target, status):
    with Wire(gateway.host) as wire:
        wire.send(
            request("HEAD", target, gateway.host, {"Accept": MANIFEST})
            + request("GET", target, gateway.host, {"Accept": MANIFEST})
        )
        head, body = wire.response("HEAD"), wire.response()
        assert head.status == body.status == status
        if status == 200:
            assert head.header("Content-Length") == str(len(body.body)) and len(body.body) > 0


def test_a_connection_is_kept_for_many_requests(gateway):
    with Wire(gateway.host) as wire:
        for _ in range(100):
            wire.send(request("GET", "/v2/app/manifests/1", gateway.host, {"Accept": MANIFEST}))
            assert wire.response().status == 200
        wire.send(request("GET", "/v2/", gateway.host, {"Connection": "close"}))
        assert wire.response().status == 200
        assert wire.closed_by_peer()


def test_http_1_0_closes_unless_asked_to_stay(gateway):
    with Wire(gateway.host) as wire:
        wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert wire.response().status == 200
        assert wire.closed_by_peer()
    with Wire(gateway.host) as wire:
        for _ in range(2):
            wire.send(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = wire.response()
            assert answer.status == 200
            if answer.header("Connection", "").lower() != "keep-alive":
                assert wire.closed_by_peer()  # it may decline, and has said so
                break


def test_requests_in_single_bytes(gateway):
    with Wire(gateway.host) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("GET", "/v2/app/manifests/1", gateway.host, {"Accept": MANIFEST}):
            wire.send(bytes([byte]))
        assert wire.response().status == 200


def test_a_client_that_has_said_all_still_gets_its_answer(gateway):
    with Wire(gateway.host) as wire:
        wire.send(request("GET", BLOB_TARGET, gateway.host))
        wire.half_close()
        assert wire.response().body == BLOB
        assert wire.closed_by_peer()


def test_a_refused_write_is_not_asked_to_continue(gateway):
    with Wire(gateway.host) as wire:
        wire.send(
            request(
                "PUT",
                "/v2/app/manifests/1",
                gateway.host,
                {"Expect": "100-continue", "Content-Length": "1000000"},
            )
        )
        answer = wire.response()
        assert (answer.status, answer.interim) == (403, [])
        assert answer.error_codes() == ["DENIED"]


def test_an_unknown_expectation_is_no_reason_to_hang(gateway):
    with Wire(gateway.host) as wire:
        wire.send(request("GET", "/health", gateway.host, {"Expect": "the unexpected"}))
        assert wire.response().status in (200, 417)


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/1"),
        ("DELETE", "manifests/1"),
        ("PATCH", "blobs/uploads/x"),
    ],
)
def test_refused_writes_are_answered_though_the_body_comes_anyway(gateway, upstream, method, path):
    """The client is still sending when the answer is ready: it must be able to read it."""
    with ThreadPoolExecutor(1) as pool, Wire(gateway.host) as wire:
        body = bytes(4_000_000)
        wire.send(
            request(method, f"/v2/app/{path}", gateway.host, {"Content-Length": str(len(body))})
        )
        sent = pool.submit(wire.offer, body)
        answer = wire.response()
        assert answer is not None and answer.status == 403 and answer.error_codes() == ["DENIED"]
        if not sent.done():  # answered and still listening: enough has been sent
            with suppress(OSError):  # the gateway was first
                wire.socket.shutdown(socket.SHUT_RDWR)
        sent.result()
    assert not upstream.seen(method)
