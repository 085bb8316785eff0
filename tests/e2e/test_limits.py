# SPDX-License-Identifier: Apache-2.0
"""Limits of one client: requests, connections, bandwidth; and who a client is, behind proxies."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from testbed.blob_reader import BlobReader
from testbed.checks import assert_error
from testbed.faulty_upstream import FaultyUpstream
from testbed.guarded import (  # noqa: F401
    ALICE,
    BOB,
    guarded,
    upstream,
    users,
)
from testbed.http_request import basic, connect, fetch
from testbed.raw_http import Wire, request
from testbed.token_client import bearer, challenge, get_token, manifest, scope
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until
from testbed.wall_clock import SteadyClock

TARGET = manifest("team/app")
MANY = 120      # requests, far above what a limit of one a second lets through at once


def limited(upstream, *, auth=None, env=None, trusted=None, **limits):
    server = {"limits": limits} | ({"trusted_proxies": trusted} if trusted else {})
    return guarded(upstream, auth, server=server, env=env)


def asked(gateway, count=MANY, headers=None, source=None, target=TARGET):
    """The answers to so many requests on one connection, opened again where it is closed."""
    answers = []
    connection = connect(gateway.url, source=source)
    for _ in range(count):
        connection.request("GET", target, headers=headers or {})
        response = connection.getresponse()
        answers.append((response.status, response.headers, response.read()))
    connection.close()
    return answers


def refusals(answers):
    return [answer for answer in answers if answer[0] == 429]


def forwarded(*addresses):
    return {"X-Forwarded-For": ", ".join(addresses)}


# Requests.


def test_who_asks_too_often_is_told_so(upstream):
    with limited(upstream, requests_per_second=1) as gateway:
        refused = refusals(asked(gateway))
        assert MANY / 2 < len(refused) < MANY
        answer = fetch(gateway.url, TARGET)
        assert_error(answer, 429, "TOOMANYREQUESTS")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert fetch(gateway.url, TARGET, source="127.0.0.2").status == 200, "another client"


def test_waiting_helps(upstream, tmp_path):
    clock = SteadyClock(tmp_path)
    with limited(upstream, requests_per_second=1, env=clock.environment) as gateway:
        status, headers, _ = asked(gateway)[-1]
        assert status == 429
        clock.advance(int(headers["Retry-After"]))
        assert fetch(gateway.url, TARGET).status == 200


def test_a_burst_is_a_pull(upstream):
    """An image of a few layers is asked for all at once."""
    with limited(upstream, requests_per_second=1) as gateway:
        assert refusals(asked(gateway, 8)) == []


def test_without_a_limit_there_is_none(upstream):
    with guarded(upstream) as gateway:
        assert refusals(asked(gateway, 300)) == []


def test_health_is_not_limited(upstream):
    """Else a limit would take the gateway out of its load balancer."""
    with limited(upstream, requests_per_second=1) as gateway:
        asked(gateway)
        assert {answer[0] for answer in asked(gateway, 30, target="/health")} == {200}


def test_the_token_service_is_limited_too(upstream, users):
    auth = {"users": users}
    with limited(upstream, auth=auth, requests_per_second=1) as gateway:
        refused = refusals(asked(gateway, target="/token"))
        assert refused and int(refused[0][1]["Retry-After"]) >= 1


@pytest.mark.parametrize("shown", ["token", "password"])
def test_users_have_their_own_limits(upstream, users, shown):
    """From one address, as in an office, once it is known who they are: to find that out is work,
    and counts for the address."""
    with limited(upstream, auth={"users": users}, requests_per_second=1) as gateway:
        alice, bob = ({"Authorization": basic(*user)} for user in (ALICE, BOB))
        if shown == "token":
            alice, bob = (bearer(get_token(gateway, None, scope("team/app"), user=user))
                          for user in (ALICE, BOB))
        for headers in (alice, bob):
            assert fetch(gateway.url, TARGET, headers=headers).status == 200
        assert refusals(asked(gateway))
        assert fetch(gateway.url, TARGET, headers=alice).status == 200
        assert refusals(asked(gateway, headers=alice))
        assert fetch(gateway.url, TARGET, headers=alice, source="127.0.0.2").status == 429
        assert fetch(gateway.url, TARGET, headers=bob).status == 200


def test_a_user_is_the_same_by_token_and_by_password(upstream, users):
    with limited(upstream, auth={"users": users}, requests_per_second=1) as gateway:
        token = bearer(get_token(gateway, None, scope("team/app"), user=ALICE))
        assert fetch(gateway.url, TARGET, headers=token).status == 200
        assert refusals(asked(gateway, headers=token))
        assert fetch(gateway.url, TARGET, headers={"Authorization": basic(*ALICE)},
                     source="127.0.0.2").status == 429


# Who a client is.


def test_nobody_is_believed_who_is_not_trusted(upstream):
    with limited(upstream, requests_per_second=1) as gateway:
        answers = [fetch(gateway.url, TARGET, headers=forwarded(f"192.0.2.{number}"))
                   for number in range(40)]
        assert 429 in {answer.status for answer in answers}


def test_a_trusted_proxy_says_who_the_client_is(upstream):
    with limited(upstream, requests_per_second=1, trusted=["127.0.0.1"]) as gateway:
        assert refusals(asked(gateway, headers=forwarded("192.0.2.1")))
        assert fetch(gateway.url, TARGET, headers=forwarded("192.0.2.2")).status == 200
        assert fetch(gateway.url, TARGET, headers=forwarded("192.0.2.1")).status == 429
        # From an address that is not trusted it is that address.
        assert fetch(gateway.url, TARGET, headers=forwarded("192.0.2.1"),
                     source="127.0.0.2").status == 200


def test_what_a_client_writes_before_the_proxy_does_is_not_believed(upstream):
    """A proxy appends; what stands before is the client's own invention."""
    with limited(upstream, requests_per_second=1, trusted=["127.0.0.1"]) as gateway:
        answers = [fetch(gateway.url, TARGET, headers=forwarded(f"192.0.2.{number}", "198.51.100.1"))
                   for number in range(40)]
        assert 429 in {answer.status for answer in answers}


def test_a_chain_of_trusted_proxies(upstream):
    trusted = ["127.0.0.1", "10.0.0.0/8"]
    with limited(upstream, requests_per_second=1, trusted=trusted) as gateway:
        answers = [fetch(gateway.url, TARGET,
                         headers=forwarded("198.51.100.1", f"10.1.2.{number}"))
                   for number in range(40)]
        assert 429 in {answer.status for answer in answers}
        other = forwarded("198.51.100.2", "10.1.2.3")
        assert fetch(gateway.url, TARGET, headers=other).status == 200


@pytest.mark.parametrize("given", ["", "unknown", "192.0.2.1:80, x", "[2001:db8::1", "1.2.3.4.5",
                                   "," * 2000, "_hidden"], ids=lambda given: repr(given[:20]))
def test_addresses_that_are_none(upstream, given):
    with limited(upstream, requests_per_second=1, trusted=["127.0.0.1"]) as gateway:
        assert fetch(gateway.url, TARGET,
                     headers={"X-Forwarded-For": given}).status in (200, 400)
        assert fetch(gateway.url, "/health").status == 200


def test_a_client_of_ipv6_is_its_network(upstream):
    """One machine has 2^64 addresses to choose from."""
    with limited(upstream, requests_per_second=1, trusted=["127.0.0.1"]) as gateway:
        answers = [fetch(gateway.url, TARGET, headers=forwarded(f"2001:db8::{number:x}"))
                   for number in range(1, 41)]
        assert 429 in {answer.status for answer in answers}
        other = forwarded("2001:db8:0:1::1")
        assert fetch(gateway.url, TARGET, headers=other).status == 200


def test_the_peers_of_a_unix_socket(upstream, tmp_path):
    server = {"listen": [f"unix:{tmp_path}/s", "127.0.0.1:0"], "trusted_proxies": ["unix"],
              "limits": {"requests_per_second": 1}}
    with guarded(upstream, {"anonymous": []}, server=server) as gateway:
        socket = next(url for url in gateway.urls if url.startswith("unix:"))
        headers = {"Host": "inner", "X-Forwarded-Proto": "https",
                   "X-Forwarded-Host": "registry.example.com"}
        told = challenge(fetch(socket, "/v2/", headers=headers | forwarded("192.0.2.1")))
        assert told["realm"] == "https://registry.example.com/token"
        assert told["service"] == "registry.example.com"
        statuses = {fetch(socket, "/v2/", headers=forwarded("192.0.2.2")).status
                    for _ in range(40)}
        assert statuses == {401, 429}
        assert fetch(socket, "/v2/", headers=forwarded("192.0.2.3")).status == 401


def test_where_the_client_believes_to_be(upstream):
    """The realm has to lead back through the proxy."""
    server = {"trusted_proxies": ["127.0.0.1"]}
    with guarded(upstream, {"anonymous": []}, server=server) as gateway:
        for headers, realm in (
                ({"X-Forwarded-Proto": "https"}, f"https://{gateway.host}/token"),
                ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "r.example.com:8443"},
                 "https://r.example.com:8443/token"),
                ({"X-Forwarded-Host": "r.example.com"}, "http://r.example.com/token")):
            assert challenge(fetch(gateway.url, "/v2/", headers=headers))["realm"] == realm
            told = challenge(fetch(gateway.url, "/v2/", headers=headers, source="127.0.0.2"))
            assert told["realm"] == f"http://{gateway.host}/token", "not from others"
        for headers in ({"X-Forwarded-Proto": "javascript"}, {"X-Forwarded-Host": 'a",b="'},
                        {"X-Forwarded-Host": "a/b"}):
            answer = fetch(gateway.url, "/v2/", headers=headers)
            assert answer.status == 400 or challenge(answer)["realm"].startswith("http://")
            assert "javascript" not in str(answer.headers) and 'b="' not in str(answer.headers)


# Connections.


def test_connections_of_one_client(upstream):
    with limited(upstream, connections_per_client=3) as gateway, ExitStack() as stack:
        ask = request("GET", "/health", gateway.host)
        for _ in range(3):
            wire = stack.enter_context(Wire(gateway.host))
            wire.send(ask)
            assert wire.response().status == 200
        more = stack.enter_context(Wire(gateway.host))
        if more.offer(ask):
            answer = more.response()
            assert answer is None or answer.status == 429
            assert answer is None or more.closed_by_peer()
        assert fetch(gateway.url, "/health", source="127.0.0.2").status == 200
        wire.send(ask)
        assert wire.response().status == 200, "those that are open stay so"
        wire.socket.close()
        wait_until(lambda: takes_one_more(gateway), "the place of the one that ended")


def takes_one_more(gateway):
    with Wire(gateway.host) as wire:
        answer = wire.response() if wire.offer(request("GET", "/health", gateway.host)) else None
    return answer is not None and answer.status == 200


# Bandwidth.

MIB = 1 << 20


@pytest.fixture
def large():
    with FaultyUpstream() as server:
        server.large = server.add_blob("app", patterned(6 * MIB, seed=5))
        yield server


def read_whole(gateway, target, headers):
    with BlobReader(gateway.host, target, headers) as reader:
        return reader.digest()


def read_ranges(gateway, target, headers):
    hasher = hashlib.sha256()
    for start in range(0, 6 * MIB, MIB):
        asked_for = headers | {"Range": f"bytes={start}-{start + MIB - 1}"}
        answer = fetch(gateway.url, target, headers=asked_for)
        assert answer.status == 206
        hasher.update(answer.body)
    return "sha256:" + hasher.hexdigest()


def test_the_transfers_of_a_client_share_its_bandwidth(large):
    """One that fills the cache, one from it, whole and in ranges; another client has its own."""
    target, mine = f"/v2/app/blobs/{large.large}", forwarded("192.0.2.1")
    with limited(large, bandwidth="4MiB", trusted=["127.0.0.1"]) as gateway:
        begin = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(each, gateway, target, mine) for each in (read_whole, read_ranges)]
            with BlobReader(gateway.host, target, forwarded("192.0.2.2")) as other:
                assert len(other.read(MIB)) == MIB
                assert not all(each.done() for each in both), "it waited for somebody else"
            assert {each.result() for each in both} == {large.large}
        assert time.monotonic() - begin > 1, "12 MiB at 4 MiB a second, with some at once"


def test_without_a_bandwidth_nothing_waits(large):
    target = f"/v2/app/blobs/{large.large}"
    with guarded(large) as gateway:
        assert read_whole(gateway, target, {}) == large.large


def test_errors_come_at_once(large):
    """A client that has used up its share still learns that something is not there."""
    with limited(large, bandwidth="64KiB") as gateway:
        with BlobReader(gateway.host, f"/v2/app/blobs/{large.large}") as reader:
            assert reader.read(1000)
            begin = time.monotonic()
            assert fetch(gateway.url, "/v2/app/manifests/absent").status in (404, 429)
            assert fetch(gateway.url, "/health").status == 200
            assert time.monotonic() - begin < 10
            reader.vanish()
