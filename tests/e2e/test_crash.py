# SPDX-License-Identifier: Apache-2.0
"""Killed at random moments under load, again and again, it loses nothing it had and keeps nothing
that is wrong.

What was answered as a "hit", by the access records of the run that was killed, must still be
served when the upstream is gone for good. The load is many small images, each tag and blob asked
by several clients at once, so that every kill finds fills, hits and writes of the cache index
under way.
"""

import http.client
import random
import threading
import time

import pytest
from testbed import raw_http, stored
from testbed.cache_command import cache
from testbed.faulty_upstream import INDEX, MANIFEST, FaultyUpstream
from testbed.pulling import fetch, serving
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

KILLS = 50
IMAGES_A_ROUND = 5
CLIENTS = 4


class Load:
    """Clients that pull images of a growing list until told to stop. What a client completes
    must be right; what it does not complete is the crash's business."""

    def __init__(self, gateway, pulls, seed):
        self._host = gateway.host
        self._pulls = pulls
        self._is_over = False
        self.wrong = []
        self._threads = [threading.Thread(target=self._run, args=(random.Random(seed + number),))
                         for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._is_over = True
        for thread in self._threads:
            thread.join()

    def _run(self, choice):
        while not self._is_over:
            for target, digest in choice.choice(self._pulls):
                try:
                    answer = raw_http.fetch(self._host, target, headers={
                        "Accept": f"{MANIFEST}, {INDEX}"}, deadline=10)
                except (OSError, raw_http.ProtocolError, http.client.HTTPException):
                    return  # it was killed
                if answer.status == 200 and answer.complete and digest_of(answer.body) != digest:
                    self.wrong.append(target)


def add_images(upstream, count, first):
    """So many images more; for each the targets a client asks for, with their digests."""
    pulls = []
    shared = patterned(20_000, seed=1)
    for number in range(first, first + count):
        repository = f"team/app{number % 7}"
        layers = [shared, *(patterned(20_000, seed=1000 + number * 2 + n) for n in range(2))]
        digest = upstream.add_image(repository, f"v{number}", layers)
        parts = [digest_of(layer) for layer in layers]
        pulls.append([(f"/v2/{repository}/manifests/v{number}", digest),
                      (f"/v2/{repository}/manifests/{digest}", digest),
                      *((f"/v2/{repository}/blobs/{part}", part) for part in parts)])
    return pulls


def hits(gateway):
    """What this run answered from what it had stored."""
    return {record.target for record in gateway.records(method="GET", status=200, outcome="hit")}


@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(10**6)])
def test_killed_fifty_times_under_load(seed):
    chance = random.Random(seed)
    answered, pulls = set(), []
    with FaultyUpstream() as upstream:
        gateway = serving(upstream)
        gateway._wait_for_ready = False
        with gateway:
            for number in range(KILLS):
                pulls += add_images(upstream, IMAGES_A_ROUND, len(pulls))
                if chance.random() < 0.15:  # while it starts
                    time.sleep(chance.uniform(0, 0.03))
                else:
                    gateway.wait_until_listening()
                    load = Load(gateway, pulls[-20:], chance.random())
                    time.sleep(chance.uniform(0.02, 0.6))
                    gateway.kill()
                    load.stop()
                    assert load.wrong == []
                    answered |= hits(gateway)
                gateway.kill()
                gateway.start()
            gateway.wait_until_listening()
            upstream.stop()
            assert_nothing_lost(gateway, pulls, answered)
            gateway.terminate()
            assert gateway.wait() == 0
            assert_whole(gateway)


def assert_nothing_lost(gateway, pulls, answered):
    """All that was a hit is served still, without the upstream; so is every file."""
    digests = dict(pair for pull in pulls for pair in pull)
    assert len(answered) > 20, "too little load to tell"
    lost = []
    for target in sorted(answered):
        answer = fetch(gateway, target)
        if answer.status != 200 or digest_of(answer.body) != digests[target]:
            lost.append((target, answer.status))
        assert len(lost) < 5, lost  # each takes a while, and five are enough to know
    assert lost == []
    wait_until(lambda: not gateway.unfinished(), "what the crashes left to be removed")


def assert_whole(gateway):
    files = set(stored.files(gateway.cache_directory))
    assert stored.damaged(gateway.cache_directory) == []
    rows = stored.indexed_digests(gateway.cache_directory)
    assert rows - files == set(), "rows without a file"
    assert files - rows == set(), "files without a row"
    assert stored.query(gateway.cache_directory, "PRAGMA integrity_check") == [("ok",)]
    assert cache(gateway, "verify")["damaged"] in (0, [])


def test_killed_right_after_an_answer_it_has_what_it_answered():
    """The narrowest case: a hit, and in the same moment the end."""
    with FaultyUpstream() as upstream, serving(upstream) as gateway:
        for number in range(10):
            data = patterned(5000, seed=number)
            digest = upstream.add_blob("app", data)
            target = f"/v2/app/blobs/{digest}"
            answer = fetch(gateway, target)
            assert answer.body == data
            wait_until(lambda: fetch(gateway, target).status == 200 and any(
                record.outcome == "hit" for record in gateway.records(target=target)),
                "a hit", every=0.001)
            gateway.kill()
            upstream.stop()
            gateway.restart()
            assert fetch(gateway, target).body == data
            upstream.start()
