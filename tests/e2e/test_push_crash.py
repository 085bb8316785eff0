# SPDX-License-Identifier: Apache-2.0
"""Killed at random moments while clients push, it keeps nothing that is wrong, leaves nothing behind,
and what it confirmed is at the registry."""

import http.client
import random
import threading

import pytest
from testbed import images, stored
from testbed.oci_registry import OciRegistry
from testbed.push_protocol import Repository, writable
from testbed.upstream_faults import patterned
from testbed.waiting import wait_until

KILLS = 15
CLIENTS = 6
KEY = "00112233445566778899aabbccddeeff" * 2


class Load:
    """Clients that push blobs in all ways, each blob its own, until the gateway is gone."""

    def __init__(self, gateway, seed):
        self.confirmed = {}         # digest: (repository, data)
        self.wrong = []
        self._lock = threading.Lock()
        self._gateway = gateway
        self._threads = [threading.Thread(target=self._run, args=(seed * 100 + number,))
                         for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join()

    def wait_for(self, count):
        wait_until(lambda: len(self.confirmed) >= count, f"{count} pushes", 30)

    def _run(self, seed):
        chance = random.Random(seed)
        app = Repository(self._gateway.url, f"team/app{seed % 4}")
        try:
            for number in range(10_000):
                data = patterned(chance.randrange(1, 400_000), seed * 10_000 + number)
                self._push(app, chance, data)
        except (OSError, http.client.HTTPException):
            pass        # it was killed

    def _push(self, app, chance, data):
        digest = images.sha256(data)
        at, sent = app.open(), 0
        while sent < len(data) and chance.random() < 0.7:
            piece = data[sent:sent + chance.randrange(1, 200_000)]
            at, sent = app.patch(at, piece), sent + len(piece)
            if at.status != 202:
                self.wrong.append((at.status, at.body))
                return
        answer = app.put(at, digest, data[sent:])
        if answer.status != 201:
            self.wrong.append((answer.status, answer.body))
            return
        with self._lock:
            self.confirmed[digest] = (app.name, data)
        pulled = app.blob(digest)
        if (pulled.status, pulled.body) != (200, data):
            self.wrong.append((pulled.status, digest))


@pytest.mark.parametrize("seed", [random.SystemRandom().randrange(10**6)])
def test_killed_again_and_again_while_clients_push(seed):
    chance = random.Random(seed)
    with OciRegistry() as registry, writable(registry, auth={"keys": [KEY]}) as gateway:
        for number in range(KILLS):
            load = Load(gateway, seed + number)
            load.wait_for(chance.randrange(1, 40))
            gateway.kill()
            load.join()
            assert load.wrong == []
            gateway.start()
            wait_until(lambda: gateway.unfinished() == [], "what the crash left to be removed")
            assert stored.damaged(gateway.cache_directory) == []
            for digest, (name, data) in load.confirmed.items():
                assert registry.blobs[name, digest] == data
                pulled = Repository(gateway.url, name).blob(digest)
                assert (pulled.status, pulled.body) == (200, data)
