# SPDX-License-Identifier: Apache-2.0
"""A gateway to measure: one worker, before an upstream that has one manifest, and a client that
costs little.

    with Upstream() as upstream, Gateway(program, config(upstream)) as gateway:
        connection = Connection(gateway.port)
        connection.exchange(request(upstream.target))
        gateway.cpu_ns()
"""

import hashlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import yaml

PATIENCE = 30  # seconds
MANIFEST_BYTES = 1500
_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
_LISTENING = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")


def _manifest() -> bytes:
    descriptor = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                  "digest": "sha256:" + "0" * 64, "size": 30_000_000}
    document = {"schemaVersion": 2, "mediaType": _MEDIA_TYPE,
                "config": {**descriptor, "mediaType": "application/vnd.oci.image.config.v1+json"},
                "layers": [descriptor] * 8}
    text = json.dumps(document, separators=(",", ":"))
    return (text + " " * (MANIFEST_BYTES - len(text))).encode()


class Upstream:
    """A registry with the one manifest, in every repository."""

    def __init__(self):
        manifest = _manifest()
        self.digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self.target = f"/v2/team/app/manifests/{self.digest}"

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", _MEDIA_TYPE)
                self.send_header("Content-Length", str(len(manifest)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(manifest)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Gateway:
    def __init__(self, program: str, config: dict, prefix=()):
        """`prefix` is put before the command; it must exec what follows it."""
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-bench-"))
        self._command = [*prefix, program]
        self._config = {"server": {"listen": ["127.0.0.1:0"], "workers": 1},
                        "cache": {"directory": str(self.directory / "cache")}, **config}
        self._process = None
        self.port = 0

    def __enter__(self):
        path = self.directory / "fairlead.yaml"
        path.write_text(yaml.safe_dump(self._config))
        self._process = subprocess.Popen([*self._command, "serve", "--config", path],
                                         stderr=subprocess.PIPE)
        for line in self._process.stderr:
            if found := _LISTENING.search(line):
                self.port = int(found[1])
                break
        else:
            self.__exit__()
            raise SystemExit("bench: the gateway does not start")
        # Its log is written as in real life, and read by somebody.
        threading.Thread(target=self._drain, daemon=True).start()
        return self

    def _drain(self):
        while self._process.stderr.read(65536):
            pass

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_ns(self) -> int:
        """What all its threads have used of the processors until now."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def request(target: str, authorization: str = "") -> bytes:
    head = f"GET {target} HTTP/1.1\r\nHost: registry.example\r\nAccept: {_MEDIA_TYPE}\r\n"
    if authorization:
        head += f"Authorization: {authorization}\r\n"
    return (head + "\r\n").encode()


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, port: int):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, data: bytes) -> bytes:
        """The whole answer, head and body."""
        self._socket.sendall(data)
        answer = self._socket.recv(65536)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", answer[:end + 2])[1])
        while len(answer) < end + 4 + length:
            answer += self._more()
        return answer

    def _more(self) -> bytes:
        piece = self._socket.recv(65536)
        if not piece:
            raise SystemExit("bench: the gateway has closed the connection")
        return piece

    def expect(self, data: bytes, status: int) -> bytes:
        """The body of an answer that has this status."""
        head, _, body = self.exchange(data).partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != str(status).encode():
            raise SystemExit(f"bench: {head.decode(errors='replace')}\n{body[:200]!r}")
        return body
