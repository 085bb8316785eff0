# SPDX-License-Identifier: Apache-2.0
"""A client that uploads at a pace the test decides, and says how far it got.

    with Uploader(gateway.host, "PATCH", location) as upload:      # Transfer-Encoding: chunked
        upload.send(data[:1000])
        upload.send(data[1000:])
        assert upload.finish().status == 202

With `length` there is a Content-Length. With `expect` nothing may be sent before `wanted()`.
"""

import select
import socket
import struct
import time

from .raw_http import Response, Wire


class Uploader:
    def __init__(self, host, method, target, length=None, *, expect=False, headers=None,
                 deadline=30.0):
        self.wire = Wire(host, deadline)
        self._chunked = length is None
        self.sent = 0
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}",
                 "Content-Type: application/octet-stream",
                 "Transfer-Encoding: chunked" if self._chunked else f"Content-Length: {length}"]
        lines += ["Expect: 100-continue"] if expect else []
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.wire.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.socket.close()

    def wanted(self, deadline=None) -> bool:
        """Waits for 100 Continue; False where another answer came instead, TimeoutError for none."""
        answer = self.wire.begin(deadline)
        assert answer is not None, "the connection ended"
        return answer.status == 100

    def send(self, data: bytes) -> None:
        self.wire.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        self.sent += len(data)

    def offer(self, data: bytes) -> None:
        """Sends what the server may refuse to read."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_until_stuck(self, data: bytes, quiet: float = 1.0, most: int = 1 << 30) -> int:
        """Sends `data` over and over, until for `quiet` seconds nothing more was taken, the server
        answered or hung up, or `most` was sent; returns how much it was. Needs a `length`."""
        end = self.wire.socket
        end.setblocking(False)
        begin = self.sent
        while self.sent - begin < most:
            readable, is_free, _ = select.select([end], [end], [], quiet)
            if readable or not is_free:
                break
            try:
                self.sent += end.send(data)
            except (BrokenPipeError, ConnectionResetError):
                break
        return self.sent - begin

    def finish(self, deadline=None) -> Response | None:
        """Ends the body; the answer, None if there was none."""
        if self._chunked:
            self.wire.send(b"0\r\n\r\n")
        return self.response(deadline)

    def response(self, deadline=None) -> Response | None:
        return self.wire.response("PATCH", deadline)

    def trickle(self, data: bytes, pause: float) -> None:
        """Byte by byte, with a pause before each."""
        for at in range(len(data)):
            _pause(pause)
            self.send(data[at:at + 1])

    def cut(self, reset: bool = True) -> None:
        """Goes away, as a killed client does (RST), or one that ends (FIN)."""
        if reset:
            self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
        self.wire.socket.close()


def _pause(seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        select.select([], [], [], left)
