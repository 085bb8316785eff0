# SPDX-License-Identifier: Apache-2.0
"""Requests no honest client sends.

Behind malformed requests the tests put a second, well-formed one for the repository `smuggled`.
Where the server and some proxy before it could disagree on where a request ends, that second one
is the attack: it must never be answered, and never reach the upstream. One server serves all tests
of this file; `gateway` checks after each of them that it is still the same process, and well.
"""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import MANIFEST, FaultyUpstream
from testbed.raw_http import Response, Wire, fetch, request
from testbed.upstream_faults import patterned

SMUGGLED = b"GET /v2/smuggled/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n"
BLOB = patterned(200_000, seed=3)
CANARY = "canary-4f1c that no request may read"


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream() as server:
        server.add_image("app", "1", [BLOB])
        server.add_image("smuggled", "1", [BLOB])
        yield server


@pytest.fixture(scope="module")
def only_server(upstream):
    registries = {"up": {"url": upstream.url}}
    routes = [{"match": "", "to": "up/"}, {"namespace": "*", "to": "{1}/"}]
    with Fairlead({"registries": registries, "routes": routes}) as fairlead:
        for place in (fairlead.directory, fairlead.cache_directory):
            (place / "canary").write_text(CANARY)
        yield fairlead


@pytest.fixture
def gateway(only_server, upstream):
    pid = only_server.pid
    yield only_server
    assert only_server.is_running and only_server.pid == pid, only_server.stderr()[-2000:]
    assert fetch(only_server.host, "/health").status == 200
    pulled = fetch(only_server.host, "/v2/app/manifests/1", headers={"Accept": MANIFEST})
    assert pulled.status == 200 and pulled.complete
    assert not any(
        word in only_server.stderr() for word in ("Sanitizer", "terminate called", "Assertion")
    )
    assert not upstream.seen(path="smuggled"), "a smuggled request reached the upstream"


@pytest.fixture(scope="module")
def digests(upstream):
    manifest = next(
        reference
        for repository, reference in upstream.manifests
        if repository == "app" and ":" in reference
    )
    blob = next(digest for (_, digest), data in upstream.blobs.items() if data is BLOB)
    return {"manifest": manifest, "blob": blob}


def refused_and_closed(gateway: Fairlead, sent: bytes, statuses: set[int]) -> Response:
    """Exactly one answer, of these statuses, and then the end."""
    with Wire(gateway.host) as wire:
        wire.offer(sent)
        answer = wire.response()
        assert answer is not None, "closed without an answer"
        assert answer.status in statuses, (answer.status, answer.body[:200])
        assert wire.closed_by_peer(), "left open after a malformed request"
    return answer


# Framing: where does a request end?

POST = b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n"
OLD_POST = POST.replace(b"HTTP/1.1", b"HTTP/1.0")
GET = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"
EMPTY_CHUNKS = b"0\r\n\r\n"

AMBIGUOUS = {
    "length and chunked": POST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    + EMPTY_CHUNKS,
    "chunked and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    + EMPTY_CHUNKS,
    "length and chunked on GET": GET
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    + EMPTY_CHUNKS,
    "two lengths, different": POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
    "two lengths, same": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "two lengths in one line": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "chunked in HTTP/1.0": OLD_POST + b"Transfer-Encoding: chunked\r\n\r\n" + EMPTY_CHUNKS,
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "length with a plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "length of words": POST + b"Content-Length: five\r\n\r\nhello",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "length with a space inside": POST + b"Content-Length: 1 0\r\n\r\nhello",
    "length beyond 64 bits": POST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "length of a hundred digits": POST + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n",
    "folded header": GET + b"X-Folded: a\r\n b\r\n\r\n",
    "folded framing": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + EMPTY_CHUNKS,
    "fold before the first header": b"GET /v2/ HTTP/1.1\r\n Host: x\r\n\r\n",
    "space before colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "tab before colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + EMPTY_CHUNKS,
    "header without colon": GET + b"Content-Length 5\r\n\r\n",
    "header without name": GET + b": 5\r\n\r\n",
    "NUL in a value": GET + b"X-Nul: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X-N\0l: a\r\n\r\n",
    "bare CR in a value": GET + b"X-Cr: a\rContent-Length: 5\r\n\r\nhello",
    "bare CR ends a line": GET + b"X-Cr: a\r\rContent-Length: 5\r\n\r\nhello",
    "control in a value": GET + b"X-Bell: a\x07b\r\n\r\n",
}

UNKNOWN_CODINGS = [
    "xchunked",
    "gzip",
    "identity",
    "chunked, chunked",
    "chunked, identity",
    "gzip, chunked",
    "chunked;a=b",
    '"chunked"',
    "",
]


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_requests_are_refused(gateway, sent):
    refused_and_closed(gateway, sent + SMUGGLED, {400})


@pytest.mark.parametrize("coding", UNKNOWN_CODINGS)
def test_transfer_codings_other_than_chunked_are_refused(gateway, coding):
    head = POST + f"Transfer-Encoding: {coding}\r\n\r\n".encode()
    refused_and_closed(gateway, head + EMPTY_CHUNKS + SMUGGLED, {400, 501})


def test_repeated_chunked_is_refused(gateway):
    refused_and_closed(
        gateway,
        POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + EMPTY_CHUNKS + SMUGGLED,
        {400, 501},
    )


BAD_CHUNKS = {
    "not a number": b"zz\r\nhello\r\n",
    "negative": b"-5\r\nhello\r\n",
    "with prefix": b"0x5\r\nhello\r\n",
    "with plus": b"+5\r\nhello\r\n",
    "empty size": b"\r\nhello\r\n",
    "beyond 64 bits": b"fffffffffffffffff\r\nhello\r\n",
    "wraps to five": b"10000000000000005\r\nhello\r\n",
    "longer than it says": b"3\r\nhello\r\n",
    "bare LF": b"5\nhello\n0\n\n",
    "endless extension": b"5;" + b"x" * 100_000 + b"\r\nhello\r\n",
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_broken_chunks_end_the_connection(gateway, chunks):
    """The write may be refused before its body is looked at; what follows is never a request."""
    sent = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + EMPTY_CHUNKS + SMUGGLED
    refused_and_closed(gateway, sent, {400, 403, 413})


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: %d\r\n\r\n" % len(SMUGGLED),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(SMUGGLED),
    ],
)
def test_a_body_on_get_is_not_the_next_request(gateway, head):
    end = b"\r\n" + EMPTY_CHUNKS if b"chunked" in head else b""
    with Wire(gateway.host) as wire:
        wire.offer(GET + head + SMUGGLED + end)
        wire.offer(request("GET", "/health", "x", {"Connection": "close"}))
        statuses = []
        while (answer := wire.response()) is not None:
            statuses.append(answer.status)
    assert statuses in ([200, 200], [200], [400], [413])


def test_bare_line_feeds_are_refused_or_mean_the_same(gateway):
    """RFC 9112 2.2 lets a server take a lone LF for a line's end: everywhere, or nowhere."""
    with Wire(gateway.host) as wire:
        wire.offer(b"GET /health HTTP/1.1\nHost: x\nConnection: close\n\n" + SMUGGLED)
        assert wire.response().status in (200, 400)
        assert wire.closed_by_peer()


# Request lines and Host.

BAD_LINES = {
    "no version": b"GET /v2/\r\n\r\n",
    "only a method": b"GET\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in target": b"GET /v2/ a HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in target": b"GET /v2/\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "control in target": b"GET /v2/\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "method with colon": b"GE:T /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "relative target": b"GET v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "asterisk for GET": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown version": b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
    "lower case version": b"GET /v2/ http/1.1\r\nHost: x\r\n\r\n",
    "version with letters": b"GET /v2/ HTTP/1.x\r\nHost: x\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": bytes.fromhex("1603010200010001fc0303") + bytes(range(256)) + b"\r\n\r\n",
    "noise": bytes((n * 73 + 41) % 256 for n in range(2000)) + b"\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
    "no Host": b"GET /v2/ HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "Host with a space": b"GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n",
    "Host with a path": b"GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with a user": b"GET /v2/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "Host with a quote": b'GET /v2/ HTTP/1.1\r\nHost: a"b\r\n\r\n',
}


@pytest.mark.parametrize("sent", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_broken_request_lines_and_hosts_are_refused(gateway, sent):
    refused_and_closed(gateway, sent + SMUGGLED, {400, 405, 501, 505})


def test_absolute_form_serves_us_and_never_others(gateway):
    with FaultyUpstream() as elsewhere:
        for authority, statuses in (
            (gateway.host, {200, 400}),
            (elsewhere.host, {200, 400, 404, 421}),
        ):
            with Wire(gateway.host) as wire:
                wire.send(request("GET", f"http://{authority}/v2/", authority))
                assert wire.response().status in statuses
        assert elsewhere.requests == []


def test_asterisk_is_for_options(gateway):
    with Wire(gateway.host) as wire:
        wire.send(request("OPTIONS", "*", "x"))
        assert wire.response().status in (200, 204, 400, 404, 405)


@pytest.mark.parametrize("method", ["TRACE", "BREW", "get", "M" * 200])
def test_unknown_methods(gateway, method):
    answer = fetch(gateway.host, "/v2/app/manifests/1", method=method)
    assert answer.status in (400, 403, 405, 501)
    assert b"Host:" not in answer.body  # TRACE would echo credentials


# Limits.


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000,
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 90) for n in range(400)),
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 8000,
        b"GET /v2/" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n",
    ],
    ids=["one header", "many headers", "very many headers", "request line"],
)
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["ended", "endless"])
def test_heads_over_the_limit(gateway, head, end):
    refused_and_closed(gateway, head + end, {431, 414} if head.startswith(b"GET /v2/a") else {431})


def test_the_limit_of_heads_is_configured(upstream):
    limits = {"header_bytes": "4KiB"}
    registries = {"up": {"url": upstream.url}}
    with Fairlead({"server": {"limits": limits}, "registries": registries}) as gateway:
        assert fetch(gateway.host, "/health", headers={"X-Long": "a" * 3000}).status == 200
        refused_and_closed(gateway, GET + b"X-Long: " + b"a" * 5000 + b"\r\n\r\n", {431})


def test_a_large_head_under_the_limit_is_served(gateway):
    assert fetch(gateway.host, "/health", headers={"X-Long": "a" * 24_000}).status == 200


def test_slow_heads_are_cut_off_while_others_are_served(gateway):
    """The slow-loris attack: bytes keep coming, heads never end. The limit is ten seconds or so."""
    beginnings = [b"G", GET, GET + b"X-Slow: ", GET + b"X: y\r\n"]
    limit = 20.0
    with ExitStack() as stack:
        slow = [stack.enter_context(Wire(gateway.host)) for _ in range(40)]
        for number, wire in enumerate(slow):
            wire.send(beginnings[number % len(beginnings)])
        began, still_open, served = time.monotonic(), list(slow), 0
        while still_open and time.monotonic() - began < limit:
            for wire in list(still_open):
                if not wire.offer(b"a") or _ended(wire):
                    still_open.remove(wire)
            assert fetch(gateway.host, "/health", deadline=2).status == 200
            served += 1
            if still_open:
                still_open[0].closed_by_peer(0.4)  # the pace of the attack
        assert not still_open, f"{len(still_open)} slow connections lived beyond {limit} s"
        assert time.monotonic() - began > 2, "cut off an honest slow client"
        assert served > 3


def _ended(wire: Wire) -> bool:
    """The peer closed, perhaps after a last word (408)."""
    wire.socket.setblocking(False)
    try:
        while wire.socket.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_many_idle_connections_do_not_stop_service(gateway, digests):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2000
    if soft < wanted + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, wanted + 200), hard))
    before = gateway.rss_bytes()
    with ExitStack() as stack:
        idle = []
        for number in range(wanted):
            idle.append(stack.enter_context(Wire(gateway.host)))
            if number % 2:  # half of them have been used
                idle[-1].send(request("GET", "/health", "x"))
                assert idle[-1].response().status == 200
        blob = fetch(gateway.host, f"/v2/app/blobs/{digests['blob']}")
        assert blob.complete and blob.body == BLOB
        assert gateway.rss_bytes() - before < wanted * 16_000
        idle[1].send(request("GET", "/health", "x"))
        assert idle[1].response().status == 200


# Names, tags and digests.

HEX = "a" * 64
BAD_NAMES = {  # a target, and the code of its 400; None: 404 in any words, or 400
    "dots": ("/v2/../../etc/passwd", None),
    "dots in name": ("/v2/app/../smuggled/manifests/1", None),
    "one dot": ("/v2/app/./manifests/1", None),
    "encoded dots": ("/v2/%2e%2e/%2e%2e/manifests/1", None),
    "encoded slash": ("/v2/..%2f..%2fsmuggled/manifests/1", None),
    "encoded slash in tag": ("/v2/app/manifests/..%2f..%2fcanary", None),
    "twice encoded": ("/v2/%252e%252e/manifests/1", None),
    "overlong UTF-8 dots": ("/v2/%c0%ae%c0%ae/manifests/1", None),
    "backslashes": ("/v2/..\\..\\canary/manifests/1", None),
    "NUL": ("/v2/app%00/manifests/1", None),
    "NUL in tag": ("/v2/app/manifests/1%00.json", None),
    "line break": ("/v2/app%0d%0aX-Injected:%201/manifests/1", None),
    "broken escape": ("/v2/app%zz/manifests/1", None),
    "cut escape": ("/v2/app/manifests/1%2", None),
    "empty component": ("/v2/app//manifests/1", None),
    "leading slash": ("/v2//app/manifests/1", None),
    "no name": ("/v2/manifests/1", None),
    "dots in digest": ("/v2/app/blobs/sha256:../../canary", None),  # no endpoint: has slashes
    "encoded dots in digest": ("/v2/app/blobs/sha256:%2e%2e%2f%2e%2e%2fcanary", "DIGEST_INVALID"),
    "upper case name": ("/v2/App/manifests/1", "NAME_INVALID"),
    "name begins with a dash": ("/v2/-app/manifests/1", "NAME_INVALID"),
    "name ends with a dot": ("/v2/app./manifests/1", "NAME_INVALID"),
    "two dots in name": ("/v2/a..b/manifests/1", "NAME_INVALID"),
    "three underscores": ("/v2/a___b/manifests/1", "NAME_INVALID"),
    "overlong name": ("/v2/" + "a" * 256 + "/manifests/1", "NAME_INVALID"),
    "overlong name of parts": ("/v2/" + "/".join(["ab"] * 100) + "/manifests/1", "NAME_INVALID"),
    "overlong tag": ("/v2/app/manifests/" + "t" * 129, "TAG_INVALID"),
    "tag begins with a dot": ("/v2/app/manifests/.hidden", "TAG_INVALID"),
    "tag begins with a dash": ("/v2/app/manifests/-1", "TAG_INVALID"),
    "tag with a plus": ("/v2/app/manifests/1+2", "TAG_INVALID"),
    "short digest": ("/v2/app/blobs/sha256:abc", "DIGEST_INVALID"),
    "long digest": ("/v2/app/blobs/sha256:" + HEX + "a", "DIGEST_INVALID"),
    "upper case digest": ("/v2/app/blobs/sha256:" + "A" * 64, "DIGEST_INVALID"),
    "digest of letters": ("/v2/app/blobs/sha256:" + "z" * 64, "DIGEST_INVALID"),
    "digest without algorithm": ("/v2/app/blobs/" + HEX, "DIGEST_INVALID"),
    "unknown algorithm": ("/v2/app/blobs/md5:" + "a" * 32, "DIGEST_INVALID"),
    "manifest by short digest": ("/v2/app/manifests/sha256:abc", "DIGEST_INVALID"),
    "referrers of no digest": ("/v2/app/referrers/latest", "DIGEST_INVALID"),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target, code", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_names_outside_the_grammar(gateway, upstream, target, code, method):
    before = len(upstream.requests)
    answer = fetch(gateway.host, target, method=method)
    assert answer.status == 400 if code else answer.status in (400, 404)
    assert answer.complete and answer.header("X-Injected") is None
    assert CANARY.encode() not in answer.body and b"root:" not in answer.body
    if method == "GET":
        codes = answer.error_codes()
        assert (
            codes == [code]
            if code
            else set(codes)
            <= {
                "NAME_INVALID",
                "TAG_INVALID",
                "DIGEST_INVALID",
                "NAME_UNKNOWN",
                "MANIFEST_UNKNOWN",
                "UNSUPPORTED",
            }
        )
    assert len(upstream.requests) == before, "the upstream was asked"


@pytest.mark.parametrize(
    "name, tag",
    [
        ("/".join(["ab"] * 85), "t" * 128),
        ("a" * 255, "T_.-9"),
        ("a--b__c.d-e/v2", "1"),
        ("v2/blobs/tags", "manifests"),
    ],
)
def test_names_at_the_edge_of_the_grammar_are_asked_for(gateway, upstream, name, tag):
    answer = fetch(gateway.host, f"/v2/{name}/manifests/{tag}")
    assert answer.status == 404 and answer.error_codes() in (["MANIFEST_UNKNOWN"], ["NAME_UNKNOWN"])
    assert upstream.requests[-1].path == f"/v2/{name}/manifests/{tag}"


@pytest.mark.parametrize(
    "namespace", ["{0}", "http:%2f%2f{0}", "{0}%2f..", "up@{0}", "up%23{0}", "169.254.169.254"]
)
def test_a_namespace_is_no_way_to_other_hosts(gateway, namespace):
    with FaultyUpstream() as inside:
        inside.add_image("app", "1", [BLOB])
        answer = fetch(gateway.host, f"/v2/app/manifests/1?ns={namespace.format(inside.host)}")
        assert answer.status in (400, 403, 404) and answer.error_codes()
        assert inside.requests == []


def test_no_header_can_be_written_through_a_query(gateway):
    for query in ("ns=up%0d%0aX-Injected:%201", "n=5&last=%0d%0aX-Injected:%201"):
        answer = fetch(gateway.host, f"/v2/app/tags/list?{query}")
        assert answer.header("X-Injected") is None and b"\nX-Injected" not in answer.body


@pytest.mark.parametrize(
    "spec",
    [
        "bytes=5-2",
        "bytes=-",
        "bytes=a-b",
        "bytes=99999999999999999999-",
        "bytes=0-0," * 2000,
        "lines=1-2",
        "bytes=-99999999999999999999",
    ],
)
def test_odd_ranges(gateway, digests, spec):
    answer = fetch(gateway.host, f"/v2/app/blobs/{digests['blob']}", headers={"Range": spec})
    assert answer.complete and answer.status in (200, 206, 400, 416)
    if answer.status in (200, 206):
        assert len(answer.body) <= len(BLOB)
    if answer.status == 200:
        assert answer.body == BLOB


# Clients that break off.


def test_clients_that_vanish_do_no_harm(gateway, digests):
    target = f"/v2/app/blobs/{digests['blob']}"
    for count in (0, 1, 20, 10**6):
        with Wire(gateway.host, receive_buffer=2048) as wire:
            wire.send(request("GET", target, gateway.host)[:count])
    whole = fetch(gateway.host, target)
    assert whole.complete and whole.body == BLOB


def test_memory_stays_bounded_under_attack(gateway):
    """Endless heads and bodies from many sides at once leave nothing behind."""
    fetch(gateway.host, "/health")
    before = gateway.rss_bytes()

    def attack(number: int) -> None:
        head = GET + b"X: " if number % 2 else POST + b"Content-Length: 1000000000\r\n\r\n"
        with Wire(gateway.host) as wire:
            wire.send(head)
            for _ in range(64):
                if not wire.offer(b"a" * 65536):
                    break

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(attack, range(64)))
    assert gateway.rss_bytes() - before < 48 << 20
