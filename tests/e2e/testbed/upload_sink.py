# SPDX-License-Identifier: Apache-2.0
"""A registry that takes uploads of any size, hashes them and throws them away; and that reads,
answers and hangs up when a test says so.

    with UploadSink() as sink:
        sink.hold_after = (1 << 20, sink.gate())    # reads a MiB of each body, then waits

What came of a body that was cut counts: GET of the upload tells it, and a PATCH goes on behind it.
"""

import hashlib
import json
import socket
import struct
import threading
import uuid
from dataclasses import dataclass, field

from .upstream_faults import Gate

_PIECE = 1 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass
class Transfer:
    """One request with a body. `ended` is "whole", "cut" (the sender went) or "answered early"."""
    method: str
    headers: dict           # names in lower case
    received: int = 0
    ended: str = ""


@dataclass
class _Session:
    received: int = 0
    hasher: object = field(default_factory=hashlib.sha256)


class _Cut(Exception):
    pass


class UploadSink:
    def __init__(self):
        self.continues = True       # says 100 Continue where it is expected
        self.before_continue = None     # a gate
        self.refusal = None         # (status, code), instead of reading the body
        self.hold_after = None      # (bytes, gate), of each body
        self.answer_after = None    # (bytes, status, code), of each body
        self.cut_after = None       # bytes, of each body; then RST
        self.believes = False       # takes whatever digest it is told
        self.sessions = {}
        self.transfers = []
        self.requests = []          # (method, target)
        self._gates = []
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        # What the kernel takes unread is small, so that who stops reading soon stops the sender.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Nobody listens any more, and open connections end."""
        for gate in self._gates:
            gate.open()
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for each in list(self._sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def gate(self):
        self._gates.append(Gate())
        return self._gates[-1]

    def heal(self):
        self.continues = True
        self.before_continue = self.refusal = self.hold_after = self.answer_after = None
        self.cut_after = None

    @property
    def received(self):
        """Bytes of all bodies."""
        return sum(each.received for each in self.transfers)

    # -- connections ------------------------------------------------------------------------------

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb", buffering=_PIECE)
        try:
            while self._request(connection, stream):
                pass
        except (OSError, ValueError):
            pass        # the other end was first
        finally:
            self._sockets.discard(connection)
            stream.close()
            connection.close()

    def _request(self, connection, stream):
        """Serves one; False when it was the last."""
        line = stream.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while (text := stream.readline().decode("latin-1").strip()):
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        method, target, _ = line
        self.requests.append((method, target))
        path, _, query = target.partition("?")
        name, _, key = path.removeprefix("/v2/").rpartition("/blobs/uploads/")
        session = self.sessions.get(key)
        if method == "POST" and name and not key:
            key = str(uuid.uuid4())
            session = self.sessions[key] = _Session()
            return self._answer(connection, 202, self._told(name, key))
        if not name or session is None:
            return self._answer(connection, 200 if path == "/v2/" else 404)
        if method == "GET":
            return self._answer(connection, 204, self._told(name, key))
        if method == "DELETE":
            del self.sessions[key]
            return self._answer(connection, 204)
        return self._upload(connection, stream, method, headers, session, query, name, key)

    def _upload(self, connection, stream, method, headers, session, query, name, key):
        transfer = Transfer(method, headers)
        self.transfers.append(transfer)
        expects = headers.get("expect", "").lower() == "100-continue"
        if expects and self.before_continue:
            self.before_continue.hold()
        if self.refusal:
            transfer.ended = "answered early"
            self._answer(connection, self.refusal[0], code=self.refusal[1])
            return False
        if expects and self.continues:
            connection.sendall(_CONTINUE)
        try:
            for piece in self._body(connection, stream, headers):
                transfer.received += len(piece)
                session.received += len(piece)
                session.hasher.update(piece)
                if self._misbehaves(connection, transfer):
                    return False
        except (OSError, _Cut):
            transfer.ended = "cut"
            return False
        transfer.ended = "whole"
        if method == "PATCH":
            return self._answer(connection, 202, self._told(name, key))
        digest = "sha256:" + session.hasher.hexdigest()
        if not self.believes and f"digest={digest}" not in query.replace("%3A", ":"):
            return self._answer(connection, 400, code="DIGEST_INVALID")
        del self.sessions[key]
        return self._answer(connection, 201, {"Location": f"/v2/{name}/blobs/{digest}",
                                              "Docker-Content-Digest": digest})

    def _misbehaves(self, connection, transfer):
        if self.hold_after and transfer.received >= self.hold_after[0]:
            self.hold_after[1].hold()
        if self.answer_after and transfer.received >= self.answer_after[0]:
            transfer.ended = "answered early"
            self._answer(connection, self.answer_after[1], code=self.answer_after[2])
            _drain(connection)
            return True
        if self.cut_after is not None and transfer.received >= self.cut_after:
            transfer.ended = "answered early"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return True
        return False

    @staticmethod
    def _body(connection, stream, headers):
        def exactly(count):
            while count:
                piece = stream.read1(min(count, _PIECE))
                if not piece:
                    raise _Cut
                count -= len(piece)
                yield piece

        if headers.get("transfer-encoding", "").lower() != "chunked":
            yield from exactly(int(headers.get("content-length", 0)))
            return
        while True:
            line = stream.readline()
            if not line.endswith(b"\n"):
                raise _Cut
            size = int(line.split(b";")[0], 16)
            yield from exactly(size)
            if stream.readline() != b"\r\n":
                raise _Cut
            if not size:
                return

    # -- answers ----------------------------------------------------------------------------------

    def _told(self, name, key):
        end = max(self.sessions[key].received - 1, 0)
        return {"Location": f"{self.url}/v2/{name}/blobs/uploads/{key}", "Range": f"0-{end}",
                "Docker-Upload-UUID": key}

    @staticmethod
    def _answer(connection, status, headers=None, code=None):
        error = {"errors": [{"code": code, "message": "so it is"}]}
        body = json.dumps(error).encode() if code else b""
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}"
                                                  for name, value in (headers or {}).items())]
        lines += ["Content-Type: application/json"] if code else []
        lines += [f"Content-Length: {len(body)}"] if status != 204 else []
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True


def _drain(connection):
    """Ends it so that the other side gets the answer though it is still sending."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(10)
    try:
        while connection.recv(_PIECE):
            pass
    except OSError:
        pass
