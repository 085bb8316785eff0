# SPDX-License-Identifier: Apache-2.0
"""Passes connections on to one server byte for byte, or holds, cuts and refuses them.

    with WireProxy(rgw.endpoint) as proxy:
        proxy.hold_uploads_after(20 << 20)
        ...                                 # large requests stop when so much has been sent
        proxy.release()

Unlike testbed/throttle.py it knows nothing of HTTP, so that signatures stay as they were made.
"""

import socket
import threading
from urllib.parse import urlsplit

from .waiting import wait_until

_PIECE = 64 * 1024


class WireProxy:
    def __init__(self, server, listening=True):
        parts = urlsplit(server)
        self._server = (parts.hostname, parts.port)
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._threshold = 0
        self._listener = None
        self._sockets = set()
        self.sent = 0               # to the server, by all connections
        self.connections = 0        # accepted, ever
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self._port}"
        if listening:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
        self.stop()

    # -- what it does to connections ----------------------------------------------------------

    def stop(self):
        """Refuses connections from now on, and cuts those there are."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for each in list(self._sockets):
            _shut(each)

    def start(self):
        """Listens, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hold_uploads_after(self, count):
        """Once `count` bytes have gone to the server from now on, no connection takes more than
        64 KiB there: small requests pass, large ones stand still."""
        self.sent = 0
        self._threshold = count
        self._open.clear()

    def wait_until_held(self, timeout=30):
        wait_until(lambda: self.sent >= self._threshold, "an upload to stand still", timeout)

    def release(self):
        self._open.set()

    # -- how ----------------------------------------------------------------------------------

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.add(each)
            for source, sink, is_upload in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, sink, is_upload),
                                 daemon=True).start()

    def _pass(self, source, sink, is_upload):
        own = 0
        try:
            while piece := source.recv(_PIECE):
                if is_upload:
                    own += len(piece)
                    if self.sent >= self._threshold and own > _PIECE:
                        self._open.wait()
                    with self._lock:
                        self.sent += len(piece)
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(sink)
            self._sockets -= {source, sink}


def _shut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
