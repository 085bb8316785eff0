# SPDX-License-Identifier: Apache-2.0
"""A raw HTTP/1.1 client: it sends the very bytes it is given and says exactly what came back.

Ordinary clients repair requests before sending them and hide how a response ended; the tests need
neither. `Response.complete` tells a body that reached its announced end from one that was cut:
the difference between a client that keeps a layer and one that throws it away.

Every wait has a deadline; passing it raises TimeoutError. Not thread-safe: one Wire, one thread.
"""

import json
import socket
import time
from dataclasses import dataclass, field

CRLF = b"\r\n"
DEADLINE = 15.0  # seconds a test waits for a server that should have answered long before
HEAD_LIMIT = 1 << 20


class ProtocolError(Exception):
    """The server broke HTTP's own rules; no test expects that."""


@dataclass
class Response:
    status: int
    version: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = False  # the body reached the end its framing announced
    interim: list[int] = field(default_factory=list)  # 1xx statuses that came before

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str, default: str | None = None) -> str | None:
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{name} given {len(values)} times: {values}")
        return values[0] if values else default

    def json(self):
        return json.loads(self.body)

    def error_codes(self) -> list[str]:
        """Codes of an OCI error body; fails on any other kind of body."""
        errors = self.json()["errors"]
        if not errors or not all(isinstance(error["code"], str) for error in errors):
            raise ProtocolError(f"not an OCI error: {self.body[:200]!r}")
        return [error["code"] for error in errors]


class Wire:
    """One TCP connection. `send` never waits for an answer; `response` reads exactly one."""

    def __init__(self, address: str, deadline: float = DEADLINE, receive_buffer: int | None = None):
        """`address` is host:port."""
        host, _, port = address.rpartition(":")
        self.deadline = deadline
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:  # a reader that stops reading soon stops the sender
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(deadline)
        self.socket.connect((host, int(port)))
        self.pending = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.settimeout(self.deadline)
        self.socket.sendall(data)

    def offer(self, data: bytes) -> bool:
        """Sends what the peer may already refuse to read: False if it has gone away."""
        try:
            self.send(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def response(self, method: str = "GET", deadline: float | None = None) -> Response | None:
        """The next final response; None if the connection ended before a first byte of it."""
        until = time.monotonic() + (deadline or self.deadline)
        interim = []
        while True:
            response = self._head(until)
            if response is None:
                return None
            if response.status >= 200:
                break
            interim.append(response.status)
        response.interim = interim
        self._body(response, method, until)
        return response

    def begin(self, deadline: float | None = None) -> Response | None:
        """Only the head of the next response; `finish` reads its body."""
        return self._head(time.monotonic() + (deadline or self.deadline))

    def finish(
        self, response: Response, method: str = "GET", deadline: float | None = None
    ) -> Response:
        self._body(response, method, time.monotonic() + (deadline or self.deadline))
        return response

    def closed_by_peer(self, deadline: float | None = None) -> bool:
        """True once the peer closed with nothing more sent; False if it stays open or talks on."""
        until = time.monotonic() + (deadline or self.deadline)
        try:
            return not self.pending and not self._more(until)
        except TimeoutError:
            return False

    def _more(self, until: float) -> bool:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no bytes within the deadline")
        self.socket.settimeout(left)
        try:
            piece = self.socket.recv(1 << 18)
        except ConnectionResetError:
            return False
        self.pending += piece
        return bool(piece)

    def _head(self, until: float) -> Response | None:
        while (end := self.pending.find(CRLF + CRLF)) < 0:
            if len(self.pending) > HEAD_LIMIT:
                raise ProtocolError("response head without end")
            if not self._more(until):
                if self.pending:
                    raise ProtocolError(
                        f"connection ended inside a response head: {self.pending[:200]!r}"
                    )
                return None
        lines = self.pending[:end].decode("latin-1").split("\r\n")
        self.pending = self.pending[end + 4 :]
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise ProtocolError(f"not a status line: {lines[0]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip() or any(c in line for c in "\r\n\0"):
                raise ProtocolError(f"not a header line: {line!r}")
            headers.append((name, value.strip()))
        return Response(int(rest[:3]), version, headers)

    def _body(self, response: Response, method: str, until: float) -> None:
        if method == "HEAD" or response.status in (204, 304):
            response.complete = True
        elif "chunked" in (response.header("Transfer-Encoding") or "").lower():
            if response.header("Content-Length") is not None:
                raise ProtocolError("both Content-Length and chunked")
            self._chunks(response, until)
        elif (length := response.header("Content-Length")) is not None:
            response.body, response.complete = self._exactly(int(length), until)
        else:  # ends with the connection; cannot be told from a cut
            while self._more(until):
                pass
            response.body, self.pending, response.complete = self.pending, b"", True

    def _exactly(self, count: int, until: float) -> tuple[bytes, bool]:
        pieces, have = [self.pending], len(self.pending)
        self.pending = b""
        while have < count:
            if not self._more(until):
                return b"".join(pieces), False
            pieces.append(self.pending)
            have += len(self.pending)
            self.pending = b""
        whole = b"".join(pieces)
        self.pending = whole[count:]
        return whole[:count], True

    def _line(self, until: float) -> bytes | None:
        while (end := self.pending.find(CRLF)) < 0:
            if not self._more(until):
                return None
        line, self.pending = self.pending[:end], self.pending[end + 2 :]
        return line

    def _chunks(self, response: Response, until: float) -> None:
        while (line := self._line(until)) is not None:
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while (trailer := self._line(until)) is not None:
                    if not trailer:
                        response.complete = True
                        return
                return
            piece, whole = self._exactly(size + 2, until)
            response.body += piece[:size]
            if not whole:
                return


def request(
    method: str, target: str, host: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> bytes:
    """The bytes of an ordinary, correct request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + CRLF + CRLF + body


def fetch(
    address: str,
    target: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    deadline: float = DEADLINE,
) -> Response:
    """One correct request on a connection of its own; it must be answered."""
    with Wire(address, deadline) as wire:
        wire.send(request(method, target, address, {"Connection": "close"} | (headers or {}), body))
        response = wire.response(method)
    if response is None:
        raise ProtocolError(f"{method} {target}: connection closed without an answer")
    return response
