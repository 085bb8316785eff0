# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy before a registry that can hold blob downloads half-way, for as long as a
test needs them held.

    with HoldingProxy(registry.url) as proxy:
        proxy.hold_blobs_after(1 << 20)
        ...                                # each blob GET stops after its first MiB
        proxy.release()

It records requests when they begin; the registry's own log has them when they have ended.
"""

import http.client
import http.server
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from .waiting import wait_until

_PIECE = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}


@dataclass
class Transfer:
    method: str
    target: str
    range: str
    sent: int = 0
    ended: bool = False


class HoldingProxy:
    def __init__(self, upstream):
        self._upstream = urlsplit(upstream)
        self._open = threading.Event()
        self._open.set()
        self._threshold = 0
        self.transfers = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer._forward(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None     # a peer that went away is no news
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.host = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = "http://" + self.host

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold_blobs_after(self, size):
        """From now on each blob GET stops when `size` bytes of its body have passed."""
        self._threshold = size
        self._open.clear()

    def release(self):
        """Lets everything flow, now and from now on."""
        self._open.set()

    def blob_transfers(self):
        """The blob GETs begun so far, held ones included."""
        return [transfer for transfer in self.transfers
                if transfer.method == "GET" and "/blobs/" in transfer.target]

    def wait_until_held(self, count=1):
        """Waits until `count` blob transfers stand still at the threshold."""
        wait_until(lambda: sum(not transfer.ended and transfer.sent >= self._threshold
                               for transfer in self.blob_transfers()) >= count,
                   f"{count} held transfers")

    def _forward(self, handler):
        transfer = Transfer(handler.command, handler.path, handler.headers.get("Range", ""))
        self.transfers.append(transfer)
        connection = http.client.HTTPConnection(self._upstream.hostname, self._upstream.port)
        try:
            headers = {key: value for key, value in handler.headers.items()
                       if key.lower() not in _HOP_BY_HOP}
            connection.request(handler.command, handler.path, headers=headers)
            response = connection.getresponse()
            handler.send_response_only(response.status, response.reason)
            for key, value in response.getheaders():
                if key.lower() not in _HOP_BY_HOP:
                    handler.send_header(key, value)
            handler.end_headers()
            handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if handler.command == "GET":
                self._pass_body(transfer, response, handler.wfile)
        except OSError:
            handler.close_connection = True
        finally:
            transfer.ended = True
            connection.close()

    def _pass_body(self, transfer, response, sink):
        is_blob = "/blobs/" in transfer.target
        while True:
            room = _PIECE
            if is_blob and not self._open.is_set():
                room = min(room, self._threshold - transfer.sent)
                if room <= 0:
                    self._open.wait()
                    continue
            piece = response.read(room)
            if not piece:
                return
            sink.write(piece)
            transfer.sent += len(piece)
