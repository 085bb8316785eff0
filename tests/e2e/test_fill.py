# SPDX-License-Identifier: Apache-2.0
"""One cold blob has one upstream transfer, whoever asks, leaves, is slow, or dies meanwhile.

A proxy before the registry holds the transfer half-way where a test needs it to be running.
"""

import shutil
from collections import Counter
from types import SimpleNamespace

import pytest

from testbed import images
from testbed.blob_reader import BlobReader, discard_all
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.registry import Registry
from testbed.throttle import HoldingProxy
from testbed.waiting import wait_until

MIB = 1 << 20
REPOSITORY = "team/large"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A registry with blobs of 300 MiB and 1 GiB, and small ones for what needs no size."""
    storage = tmp_path_factory.mktemp("large")
    found = SimpleNamespace(small=images.PatternBlob(24 * MIB + 17, seed=1),
                            middle=images.PatternBlob(300 * MIB, seed=2),
                            huge=images.PatternBlob(1024 * MIB, seed=3))
    for blob in (found.small, found.middle, found.huge):
        images.place_blob(storage, REPOSITORY, blob)
    with Registry(storage) as registry:
        found.registry = registry
        yield found
    shutil.rmtree(storage)


@pytest.fixture
def proxy(large):
    large.registry.forget()
    with HoldingProxy(large.registry.url) as proxy:
        yield proxy


def config(url):
    return {"registries": {"upstream.test": {"url": url}},
            "routes": [{"match": "", "to": "upstream.test/"}]}


def target(blob):
    return f"/v2/{REPOSITORY}/blobs/{blob.digest}"


def upstream_gets(large, blob):
    return large.registry.count("GET", f"{target(blob)}$")


def wait_for_hit(fairlead, blob):
    """The moment between the last byte and the last row belongs to the fill: who comes then joins."""
    def is_hit():
        count = len(fairlead.records(method="GET"))
        assert fetch(fairlead.url, target(blob)).digest == blob.digest
        return fairlead.wait_for_records(count + 1, method="GET")[-1].outcome == "hit"

    wait_until(is_hit, "the blob to be a hit")


def test_sixteen_clients_share_one_transfer(large, proxy):
    blob = large.middle
    proxy.hold_blobs_after(8 * MIB)
    with Fairlead(config(proxy.url)) as fairlead:
        readers = [BlobReader(fairlead.host, target(blob)) for _ in range(16)]
        for reader in readers:
            assert reader.head().status == 200
            assert reader.length == blob.size
        proxy.wait_until_held()

        # Held at 8 MiB upstream, each client has its first 4 MiB: the bytes are passed on live.
        for reader in readers:
            assert reader.read(4 * MIB) == blob.slice(0, 4 * MIB - 1)

        # The tail is asked for while most of the blob is not here yet.
        tail = BlobReader(fairlead.host, target(blob), {"Range": "bytes=-1000"})

        proxy.release()
        assert tail.head().status == 206
        assert tail.head().headers["content-range"] == (
            f"bytes {blob.size - 1000}-{blob.size - 1}/{blob.size}")
        assert tail.read() == blob.slice(blob.size - 1000, blob.size - 1)
        discard_all(readers, timeout=60)
        assert all(reader.is_complete for reader in readers)

        assert upstream_gets(large, blob) == 1
        assert len(proxy.blob_transfers()) == 1
        records = fairlead.wait_for_records(17, method="GET")
        assert Counter(record.outcome for record in records) == {"fill": 1, "join": 16}
        ranged, = [record for record in records if record.status == 206]
        assert (ranged.outcome, ranged.bytes) == ("join", 1000)

        fairlead.wait_until_idle()
        wait_for_hit(fairlead, blob)
        assert upstream_gets(large, blob) == 1


def test_parallel_ranges_of_a_cold_blob_share_one_transfer(large, proxy):
    blob, step = large.small, 4 * MIB
    with Fairlead(config(proxy.url)) as fairlead:
        spans = [(first, min(first + step, blob.size) - 1) for first in range(0, blob.size, step)]
        readers = [BlobReader(fairlead.host, target(blob), {"Range": f"bytes={first}-{last}"})
                   for first, last in reversed(spans)]
        for (first, last), reader in zip(reversed(spans), readers):
            assert reader.head().status == 206
            assert reader.read() == blob.slice(first, last)
        assert len(proxy.blob_transfers()) == 1
        assert proxy.blob_transfers()[0].range in ("", "bytes=0-")


def test_a_client_that_is_killed_does_not_end_the_fill(large, proxy):
    blob = large.small
    proxy.hold_blobs_after(8 * MIB)
    with Fairlead(config(proxy.url)) as fairlead:
        reader = BlobReader(fairlead.host, target(blob))
        assert reader.read(MIB) == blob.slice(0, MIB - 1)
        proxy.wait_until_held()
        reader.vanish()
        gone, = fairlead.wait_for_records(1, method="GET", outcome="fill")
        assert gone.bytes < blob.size

        proxy.release()
        transfer, = proxy.blob_transfers()
        wait_until(lambda: transfer.ended, "the fill to reach its end")
        assert transfer.sent == blob.size, "the fill was ended with its client"
        fairlead.wait_until_idle()

        wait_for_hit(fairlead, blob)
        assert len(proxy.blob_transfers()) == 1


def test_a_client_killed_among_others_disturbs_none(large, proxy):
    blob = large.small
    proxy.hold_blobs_after(8 * MIB)
    with Fairlead(config(proxy.url)) as fairlead:
        readers = [BlobReader(fairlead.host, target(blob)) for _ in range(4)]
        for reader in readers:
            assert len(reader.read(MIB)) == MIB
        readers.pop(0).vanish()         # the one whose request began the fill
        fairlead.wait_for_records(1, method="GET")
        proxy.release()
        rest = [reader.read() for reader in readers]
        assert all(each == blob.slice(MIB, blob.size - 1) for each in rest)
        assert len(proxy.blob_transfers()) == 1


def test_memory_stays_small_while_fifty_clients_pull_a_cold_gibibyte(large):
    blob = large.huge
    large.registry.forget()
    with Fairlead(config(large.registry.url)) as fairlead:
        slow = BlobReader(fairlead.host, target(blob), receive_buffer=64 * 1024)
        slow.head()
        fast = [BlobReader(fairlead.host, target(blob)) for _ in range(49)]

        def read_slowly():
            if slow.received < fast[0].received // 32:
                slow.read(16 * 1024)

        discard_all(fast, timeout=240, each_round=read_slowly)
        assert all(reader.is_complete for reader in fast)
        assert slow.received < 48 * MIB, "the others went at the pace of the slow one"
        assert fairlead.peak_rss_bytes() < 64 * MIB
        discard_all([slow], timeout=30)
        assert slow.is_complete
        assert fairlead.peak_rss_bytes() < 64 * MIB
        assert upstream_gets(large, blob) == 1
        with BlobReader(fairlead.host, target(blob)) as again:
            assert again.digest() == blob.digest


def test_killed_in_mid_fill_it_keeps_nothing_partial(large, proxy):
    blob = large.small
    proxy.hold_blobs_after(8 * MIB)
    with Fairlead(config(proxy.url)) as fairlead:
        reader = BlobReader(fairlead.host, target(blob))
        assert reader.read(MIB) == blob.slice(0, MIB - 1)
        proxy.wait_until_held()
        fairlead.kill()
        reader.read()
        assert not reader.is_complete

        proxy.release()
        fairlead.restart()
        wait_until(lambda: not fairlead.unfinished(), "what the crash left to be removed")
        assert stored_files(fairlead, blob) == []

        assert fetch(fairlead.url, target(blob)).digest == blob.digest
        assert fairlead.wait_for_records(1, method="GET")[0].outcome == "fill"
        assert len(proxy.blob_transfers()) == 2


def test_what_was_filled_outlives_a_crash(large, proxy):
    blob = large.small
    with Fairlead(config(proxy.url)) as fairlead:
        assert fetch(fairlead.url, target(blob)).digest == blob.digest
        fairlead.wait_until_idle()
        fairlead.kill()
        fairlead.restart()
        assert fetch(fairlead.url, target(blob)).digest == blob.digest
        assert fairlead.wait_for_records(1, method="GET")[0].outcome == "hit"
        assert len(proxy.blob_transfers()) == 1


def stored_files(fairlead, blob):
    """The files named by the blob's digest, wherever under the cache directory they are."""
    name = blob.digest.split(":")[1]
    return [path for path in fairlead.cache_directory.rglob("*")
            if path.is_file() and name in path.name]
