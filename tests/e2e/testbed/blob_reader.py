# SPDX-License-Identifier: Apache-2.0
"""A client that downloads one blob at a pace the test decides.

    reader = BlobReader(fairlead.host, "/v2/app/blobs/sha256:...")
    assert reader.head().status == 200
    reader.read(1 << 20)                # the first MiB, and then nothing until asked again
    reader.vanish()                     # as a killed client does

`discard_all` downloads on many connections at once and throws the bytes away inside the kernel,
so that on a small machine the server is what is measured.
"""

import hashlib
import selectors
import socket
import struct
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    status: int
    headers: dict       # names in lower case


class BlobReader:
    def __init__(self, host, target, headers=None, timeout=30, receive_buffer=None):
        """Sends the request. `receive_buffer` bounds what the kernel takes unread."""
        address, port = host.rsplit(":", 1)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        self._socket.connect((address, int(port)))
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "User-Agent: blob-reader"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._early = b""
        self._head = None
        self.received = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    def head(self):
        """The answer's status and headers; waits for them."""
        if self._head is None:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = self._socket.recv(65536)
                assert piece, f"the connection ended within the head: {data!r}"
                data += piece
            text, _, self._early = data.partition(b"\r\n\r\n")
            first, *lines = text.decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            self._head = Head(int(first.split()[1]), headers)
        return self._head

    @property
    def length(self):
        """The body's length as announced."""
        return int(self.head().headers["content-length"])

    @property
    def is_complete(self):
        return self.received == self.length

    def read_some(self, most=1 << 18):
        """What is there next, at most `most` bytes; empty when the body or the connection ended."""
        most = min(most, self.length - self.received)
        if self._early:
            piece, self._early = self._early[:most], self._early[most:]
        else:
            piece = self._socket.recv(most) if most else b""
        self.received += len(piece)
        return piece

    def read(self, count=None):
        """The next `count` bytes, or all that follow; fewer when the connection ends before."""
        pieces, left = [], self.length - self.received if count is None else count
        while left > 0:
            piece = self.read_some(left)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def digest(self):
        """Reads to the end; the digest of what came."""
        hasher = hashlib.sha256()
        while piece := self.read_some():
            hasher.update(piece)
        return "sha256:" + hasher.hexdigest()

    def discard_some(self, scratch):
        """As `read_some`, with the bytes thrown away; returns how many, 0 at the end."""
        most = min(len(scratch), self.length - self.received)
        if self._early:
            return len(self.read_some(most))
        count = self._socket.recv_into(scratch, most, socket.MSG_TRUNC) if most else 0
        self.received += count
        return count

    def vanish(self):
        """Ends the connection with a reset, as when the client is killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def discard_all(readers, timeout, each_round=lambda: None):
    """Downloads all of `readers` to their ends, together, and throws the bytes away.

    `each_round` is called again and again meanwhile.
    """
    scratch = bytearray(1 << 20)
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            reader.head()
            selector.register(reader, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < deadline, f"not done in {timeout} s: " + ", ".join(
                f"{reader.received}/{reader.length}" for reader in readers)
            for key, _ in selector.select(1):
                reader = key.fileobj
                if not reader.discard_some(scratch) or reader.is_complete:
                    selector.unregister(reader)
            each_round()
