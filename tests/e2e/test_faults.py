# SPDX-License-Identifier: Apache-2.0
"""What a client notices, and what stays on disk, when the upstream's bytes fail or lie.

The rule behind all of it: a client completes the right bytes or it does not complete; what was
not verified is not kept; and when the upstream is well again, so is the next pull. Faults are
scripted (testbed/faulty_upstream.py), waits are for events or polled states, never for time to
pass.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed import raw_http
from testbed.disk import fill, small_disk
from testbed.faulty_upstream import FaultyUpstream, UpstreamProcess
from testbed.misbehaving import gateway, impatient, upstream  # noqa: F401
from testbed.pulling import (
    FOREIGN,
    assert_cached,
    assert_not_completed,
    assert_nothing_kept,
    assert_problem,
    assert_right,
    assert_unavailable,
    fetch,
    kept,
    pull,
    serving,
)
from testbed.upstream_faults import (
    changed,
    chunked,
    cut,
    digest_of,
    failing,
    gzipped,
    held_at,
    ignoring_range,
    other_bytes,
    patterned,
    redirected,
    too_few_bytes,
    too_many_bytes,
    with_headers,
    without_digest,
    wrong_length,
    wrong_range,
)
from testbed.waiting import wait_until

LAYER = patterned(600_000, seed=1)


# Lies about bytes.

LIES = {
    "one byte wrong": [other_bytes()],
    "first byte wrong": [other_bytes(at=0)],
    "body shorter than Content-Length": [too_few_bytes(100)],
    "body longer, length to match": [too_many_bytes(100)],
    "body longer than Content-Length": [wrong_length(-100)],
    "chunked, one byte wrong": [other_bytes(), chunked()],
    "chunked, last bytes missing": [lambda a, _: changed(body=a.body[:-100])(a, _), chunked()],
    "chunked, too long": [too_many_bytes(100), chunked()],
    "empty": [changed(body=b"")],
    "a page in HTML": [failing(200)],
    "cut, every time": [cut(100_000), ignoring_range()],
}


@pytest.mark.parametrize(
    "known_size", [False, True], ids=["size unknown", "size from the manifest"]
)
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_never_completed_nor_kept(upstream, gateway, lie, known_size):
    digest = upstream.add_blob("app", LAYER)
    if known_size:
        upstream.add_image("app", "1", [LAYER])
        assert fetch(gateway, "/v2/app/manifests/1").status == 200
    rule = upstream.fault("GET", "/blobs/", *lie)
    assert_not_completed(pull(gateway, digest))
    assert rule.used >= 1
    assert_nothing_kept(gateway, digest)
    upstream.heal()
    assert_right(pull(gateway, digest), LAYER)
    assert_cached(gateway, upstream, digest, LAYER)


@pytest.mark.parametrize(
    "known_size", [False, True], ids=["size unknown", "size from the manifest"]
)
def test_a_lie_is_not_completed_while_its_end_is_awaited(upstream, impatient, known_size):
    """Whoever only counts bytes has them all by then."""
    digest = upstream.add_blob("app", LAYER)
    if known_size:
        upstream.add_image("app", "1", [LAYER])
        assert fetch(impatient, "/v2/app/manifests/1").status == 200
    held = held_at(len(LAYER), upstream.gate())
    upstream.fault("GET", "/blobs/", other_bytes(), chunked(), held)
    assert_not_completed(pull(impatient, digest))
    assert_nothing_kept(impatient, digest)


def test_none_of_many_readers_completes_a_lie(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    gate = upstream.gate()
    upstream.fault("GET", "/blobs/", other_bytes(), held_at(300_000, gate))
    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(pull, gateway, digest) for _ in range(6)]
        gate.wait_reached()
        gate.open()
        for reader in readers:
            assert_not_completed(reader.result())
    assert_nothing_kept(gateway, digest)


def test_a_range_of_a_lie_is_not_kept_either(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", other_bytes())
    pull(gateway, digest, headers={"Range": "bytes=599000-"})
    assert_nothing_kept(gateway, digest)
    upstream.heal()
    answer = pull(gateway, digest, headers={"Range": "bytes=599000-"})
    assert (answer.status, answer.complete, answer.body) == (206, True, LAYER[599000:])


def test_a_manifest_that_is_not_its_digest_is_refused(upstream, gateway):
    digest = upstream.add_manifest("app", None, b'{"schemaVersion":2}')
    upstream.fault("GET", "/manifests/", other_bytes())
    assert_not_completed(fetch(gateway, f"/v2/app/manifests/{digest}"))
    assert_nothing_kept(gateway, digest)
    upstream.heal()
    assert_right(fetch(gateway, f"/v2/app/manifests/{digest}"), b'{"schemaVersion":2}')


def test_a_digest_header_that_lies_is_not_passed_on(upstream, gateway):
    body = b'{"schemaVersion":2}'
    upstream.add_manifest("app", "1", body)
    upstream.fault("*", "/manifests/", with_headers(Docker_Content_Digest="sha256:" + "0" * 64))
    answer = fetch(gateway, "/v2/app/manifests/1")
    if answer.status == 200:
        assert answer.body == body and answer.header("Docker-Content-Digest") == digest_of(body)
    else:
        assert_problem(answer, {404, 502, 504}, {"MANIFEST_UNKNOWN", "UNAVAILABLE"})
    assert kept(gateway, "sha256:" + "0" * 64) == []


def test_a_page_in_html_is_no_manifest(upstream, gateway):
    upstream.add_manifest("app", "1", b'{"schemaVersion":2}')
    upstream.fault("*", "/manifests/", failing(200))
    assert_unavailable(fetch(gateway, "/v2/app/manifests/1"))
    upstream.heal()
    assert fetch(gateway, "/v2/app/manifests/1").status == 200


def test_encoding_nobody_asked_for_never_reaches_a_client(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", gzipped())
    answer = pull(gateway, digest)
    if answer.complete and answer.status == 200:
        assert_right(answer, LAYER)
    else:
        assert_not_completed(answer)
        assert_nothing_kept(gateway, digest)
    asked = {r.header("Accept-Encoding") for r in upstream.seen("GET", "/blobs/")}
    assert asked <= {None, "identity"}
    upstream.heal()
    assert_right(pull(gateway, digest), LAYER)


# Unusual, but true.


def test_chunked_without_length_is_served_and_kept(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", chunked())
    assert_right(pull(gateway, digest), LAYER)
    assert_cached(gateway, upstream, digest, LAYER)


def test_upstream_without_digest_header_and_without_head(upstream, gateway):
    digest = upstream.add_image("app", "1", [LAYER])
    upstream.fault("HEAD", ".", failing(405))
    upstream.fault("GET", ".", without_digest())
    head = fetch(gateway, "/v2/app/manifests/1", method="HEAD")
    assert head.status == 200 and head.header("Docker-Content-Digest") == digest
    body = fetch(gateway, f"/v2/app/manifests/{digest}")
    assert head.header("Content-Length") == str(len(body.body)) and digest_of(body.body) == digest
    assert_right(pull(gateway, digest_of(LAYER)), LAYER)


def test_giant_upstream_headers_are_bounded(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("*", "/blobs/", with_headers(X_Giant="g" * 2_000_000))
    answer = pull(gateway, digest)
    assert answer.header("X-Giant") is None
    if answer.status != 200:
        assert_unavailable(answer)
    upstream.heal()
    assert_right(pull(gateway, digest), LAYER)


# Transfers that break off.


def range_starts(upstream: FaultyUpstream, digest: str) -> list[int]:
    """Where each transfer of the blob began: 0 without Range."""
    asked = [r.header("Range") for r in upstream.seen("GET", "/blobs/" + digest)]
    return [int(re.fullmatch(r"bytes=(\d+)-\d*", value)[1]) if value else 0 for value in asked]


def test_a_cut_transfer_is_resumed_where_it_broke(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", cut(250_000), times=1)
    assert_right(pull(gateway, digest), LAYER)
    assert range_starts(upstream, digest) == [0, 250_000]
    assert_cached(gateway, upstream, digest, LAYER)


def test_readers_of_a_cut_transfer_notice_nothing(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    gate = upstream.gate()
    upstream.fault("GET", "/blobs/", cut(250_000), held_at(250_000, gate), times=1)
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(pull, gateway, digest) for _ in range(4)]
        gate.wait_reached()
        gate.open()
        for reader in readers:
            assert_right(reader.result(), LAYER)
    assert len(range_starts(upstream, digest)) == 2


def test_a_stalled_transfer_is_resumed(upstream, impatient):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", held_at(250_000, upstream.gate()), times=1)
    assert_right(pull(impatient, digest), LAYER)
    assert range_starts(upstream, digest) == [0, 250_000]


def test_a_reset_transfer_is_resumed(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", cut(250_000, reset=True), times=1)
    assert_right(pull(gateway, digest), LAYER)
    assert_cached(gateway, upstream, digest, LAYER)


def test_upstream_that_ignores_range_when_resuming(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", cut(250_000), times=1)
    ignored = upstream.fault("GET", "/blobs/", ignoring_range())
    assert_right(pull(gateway, digest), LAYER)
    assert ignored.used == 1
    assert_cached(gateway, upstream, digest, LAYER)


@pytest.mark.parametrize(
    "lie",
    [
        wrong_range(shift=7),
        wrong_range(shift=-7),
        wrong_range(total_off_by=1),
        other_bytes(),
        failing(416),
        failing(404),
    ],
    ids=["later offset", "earlier offset", "other total", "other bytes", "416", "404"],
)
def test_a_resumed_transfer_that_lies(upstream, gateway, lie):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", cut(250_000), times=1)
    upstream.fault("GET", "/blobs/", lie, times=1)
    answer = pull(gateway, digest)
    if answer.complete and answer.status == 200:  # tried once more, from the truth
        assert_right(answer, LAYER)
    else:
        assert answer.status == 200 and not answer.complete
        assert_nothing_kept(gateway, digest)
    assert_right(pull(gateway, digest), LAYER)
    assert_cached(gateway, upstream, digest, LAYER)


def test_a_redirected_transfer_is_resumed(upstream, gateway):
    with FaultyUpstream(FOREIGN) as bucket:
        digest = upstream.add_blob("app", LAYER)
        bucket.add_blob("app", LAYER)
        upstream.fault("GET", "/blobs/", redirected(307, lambda request: bucket.url + request.path))
        bucket.fault("GET", "/blobs/", cut(250_000), times=1)
        assert_right(pull(gateway, digest), LAYER)
        assert range_starts(bucket, digest) == [0, 250_000]


def test_upstream_killed_in_the_middle_of_a_body():
    size, reached = 3_000_000, 1_000_000
    data = patterned(size)
    with UpstreamProcess(size, hold=reached) as first, serving(first) as gateway:
        with raw_http.Wire(gateway.host) as wire:
            wire.send(raw_http.request("GET", f"/v2/app/blobs/{digest_of(data)}", gateway.host))
            answer = wire.begin()
            first.kill()
            wire.finish(answer)
        assert_not_completed(answer)
        assert data.startswith(answer.body) or answer.status >= 500
        assert_nothing_kept(gateway, digest_of(data))
        assert_unavailable(pull(gateway, digest_of(data)))
        with UpstreamProcess(size, hold=0, port=first.port):
            assert_right(pull(gateway, digest_of(data)), data)


def test_a_client_that_leaves_disturbs_nobody(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    gate = upstream.gate()
    upstream.fault("GET", "/blobs/", held_at(300_000, gate), times=1)
    with ThreadPoolExecutor(1) as pool:
        with raw_http.Wire(gateway.host) as wire:
            wire.send(raw_http.request("GET", f"/v2/app/blobs/{digest}", gateway.host))
            gate.wait_reached()
            stays = pool.submit(pull, gateway, digest)
            assert wire.begin().status == 200
        gate.open()
        assert_right(stays.result(), LAYER)
    assert_cached(gateway, upstream, digest, LAYER)


# Whose blob it is.


def test_a_blob_on_disk_is_not_served_through_a_repository_without_it(upstream, gateway):
    digest = upstream.add_blob("private/app", LAYER)
    assert_right(pull(gateway, digest, "private/app"), LAYER)
    assert_cached(gateway, upstream, digest, LAYER, "private/app")
    for method in ("HEAD", "GET"):
        assert pull(gateway, digest, "public/app", method=method).status == 404
    part = pull(gateway, digest, "public/app", headers={"Range": "bytes=0-9"})
    assert_problem(part, {404}, {"BLOB_UNKNOWN", "NAME_UNKNOWN"})
    upstream.close()  # nobody left to ask: no
    for repository, statuses in (("third/app", {502, 504}), ("private/app", {200})):
        assert pull(gateway, digest, repository).status in statuses


def test_a_blob_on_disk_needs_no_second_transfer_for_another_holder(upstream, gateway):
    digest = upstream.add_blob("one", LAYER)
    upstream.add_blob("two", LAYER)
    for repository in ("one", "two"):
        assert_right(pull(gateway, digest, repository), LAYER)
    assert len(upstream.seen("GET", "/blobs/")) == 1
    assert upstream.seen("HEAD", "/v2/two/blobs/")


# Full disk.


def test_full_disk_makes_pulls_uncached_and_no_worse(upstream, tmp_path):
    big, small = patterned(3_000_000, 7), patterned(1000, 8)
    for data in (big, small):
        upstream.add_blob("app", data)
    with small_disk(tmp_path / "disk", "12m") as disk:
        cache = {"directory": str(disk)}
        with serving(upstream, cache=cache) as gateway:
            assert_right(pull(gateway, digest_of(small)), small)
            ballast = fill(disk, leave=1_000_000)
            with ThreadPoolExecutor(3) as pool:
                readers = [pool.submit(pull, gateway, digest_of(big)) for _ in range(3)]
                for reader in readers:
                    assert_right(reader.result(), big)
            assert_right(pull(gateway, digest_of(small)), small)
            assert_nothing_kept(gateway, digest_of(big))
            ballast.unlink()

            def is_cached() -> bool:
                assert_right(pull(gateway, digest_of(big)), big)
                return bool(kept(gateway, digest_of(big)))

            wait_until(is_cached, "the cache to be used again")
            assert_cached(gateway, upstream, digest_of(big), big)


def test_slow_reader_does_not_hold_up_others(upstream, gateway):
    data = patterned(8_000_000, 9)
    digest = upstream.add_blob("app", data)
    with raw_http.Wire(gateway.host, receive_buffer=4096) as slow:
        slow.send(raw_http.request("GET", f"/v2/app/blobs/{digest}", gateway.host))
        head = slow.begin()
        assert_right(pull(gateway, digest), data)
        assert_right(slow.finish(head), data)
    assert len(upstream.seen("GET", "/blobs/")) == 1
