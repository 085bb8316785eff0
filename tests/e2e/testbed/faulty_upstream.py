# SPDX-License-Identifier: Apache-2.0
"""An OCI registry that misbehaves on command.

It serves manifests, blobs and tags from memory, correctly, until a test says otherwise:

    with FaultyUpstream() as upstream:
        digest = upstream.add_blob("app", data)
        upstream.fault("GET", "/blobs/", cut(1000), times=1)    # the first ends after 1000 bytes

Faults are those of testbed/upstream_faults.py; several in one call apply left to right. The first
rule that matches and has uses left decides; a request none matches gets the truth. Every request
is kept in `requests` before it is answered, so a client that has its answer finds it there.

One thread per connection; the state they share is guarded by `lock`.
"""

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .upstream_faults import Answer, Fault, Gate, Request, digest_of, held_at, patterned
from .upstream_lists import INDEX, referrers, tags
from .upstream_uploads import read_body
from .upstream_tokens import TokenService

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
RESOURCE = re.compile(
    r"^/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<reference>[^/]+)$"
)


@dataclass
class Rule:
    method: str
    path: re.Pattern
    faults: tuple[Fault, ...]
    left: int | None  # uses left; None: no limit
    skip: int  # matching requests to leave alone first
    used: int = 0

    def takes(self, request: Request) -> bool:
        if (
            self.left == 0
            or self.method not in ("*", request.method)
            or not self.path.search(request.path)
        ):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        self.used += 1
        return True


class FaultyUpstream:
    """A registry on a port of its own; `close` opens all gates and ends it."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0):
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.tokens: TokenService | None = None
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # (repository, tag or digest)
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.rules: list[Rule] = []
        self.gates: list[Gate] = []
        self.connections_made = 0
        self.server = None
        self._begin(address, port)
        self.port = self.server.server_address[1]
        self.host = f"{address}:{self.port}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> "FaultyUpstream":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        for gate in self.gates:
            gate.open()
        self.stop()

    def stop(self) -> None:
        """Nobody listens any more, and open connections end; `start` begins again."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server.sever()
            self.server = None

    def start(self) -> None:
        """Listens again, on the same port and with the same contents."""
        self._begin(self.host.split(":")[0], self.port)

    def _begin(self, address: str, port: int) -> None:
        self.server = _Server((address, port), _Handler)
        self.server.upstream = self
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    # What it holds.

    def add_blob(self, repository: str, data: bytes) -> str:
        self.blobs[repository, digest_of(data)] = data
        return digest_of(data)

    def add_manifest(
        self, repository: str, tag: str | None, body: bytes, kind: str = MANIFEST
    ) -> str:
        for reference in filter(None, (tag, digest_of(body))):
            self.manifests[repository, reference] = (kind, body)
        return digest_of(body)

    def add_image(self, repository: str, tag: str, layers: Iterable[bytes]) -> str:
        """An image whose config and layers are held too; its manifest's digest."""

        def described(kind: str, data: bytes) -> dict:
            return {"mediaType": kind, "digest": self.add_blob(repository, data), "size": len(data)}

        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "name": f"{repository}:{tag}"}
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, config),
            "layers": [described(LAYER, layer) for layer in layers],
        }
        return self.add_manifest(repository, tag, json.dumps(manifest).encode())

    def add_index(self, repository: str, tag: str, children: Iterable[str]) -> str:
        """An index of manifests that are held; its digest."""
        described = []
        for number, digest in enumerate(children):
            kind, body = self.manifests[repository, digest]
            platform = {"architecture": f"arch{number}", "os": "linux"}
            described.append(
                {"mediaType": kind, "digest": digest, "size": len(body), "platform": platform}
            )
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": described}
        return self.add_manifest(repository, tag, json.dumps(index).encode(), INDEX)

    def add_referrer(self, repository: str, subject: str, artifact_type: str) -> str:
        """A manifest without layers that is about `subject`; its digest."""
        kind, body = self.manifests[repository, subject]
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
                 "digest": self.add_blob(repository, b"{}")}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [empty],
            "subject": {"mediaType": kind, "digest": subject, "size": len(body)},
        }
        return self.add_manifest(repository, None, json.dumps(document).encode())

    def remove_tag(self, repository: str, tag: str) -> None:
        del self.manifests[repository, tag]

    # How it misbehaves, and what it saw.

    def gate(self) -> Gate:
        self.gates.append(Gate())
        return self.gates[-1]

    def fault(
        self, method: str, path: str, *faults: Fault, times: int | None = None, after: int = 0
    ) -> Rule:
        """Applies `faults` to requests of `method` ("*": any) whose path the regex `path` finds."""
        rule = Rule(method, re.compile(path), faults, times, after)
        with self.lock:
            self.rules.append(rule)
        return rule

    def heal(self) -> None:
        with self.lock:
            self.rules.clear()

    def seen(self, method: str = "*", path: str = "") -> list[Request]:
        with self.lock:
            return [
                r for r in self.requests if method in ("*", r.method) and re.search(path, r.path)
            ]

    # How it answers.

    def _answer(self, request: Request) -> Answer:
        with self.lock:
            self.requests.append(request)
            answer = self._truth(request)
            rule = next((rule for rule in self.rules if rule.takes(request)), None)
            for fault in rule.faults if rule else ():
                answer = fault(answer, request)
        return answer

    def _truth(self, request: Request) -> Answer:
        if request.path == "/token" and self.tokens:
            return self.tokens.give(request)
        found = RESOURCE.match(request.path)
        repository = found["repository"] if found else ""
        if self.tokens and not self.tokens.allows(request, repository):
            scope = f"repository:{repository}:pull" if found else ""
            realm = self.tokens.realm or f"{self.url}/token"
            told = self.tokens.challenge.format(realm=realm, service=self.host, scope=scope)
            return _problem(401, "UNAUTHORIZED", {"WWW-Authenticate": told})
        if request.path == "/v2/":
            return Answer(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
        if not found:
            return _problem(404, "NAME_UNKNOWN")
        if found["kind"] == "tags":
            return tags(request, repository, self.manifests) or _problem(404, "NAME_UNKNOWN")
        if found["kind"] == "referrers":
            return referrers(request, repository, found["reference"], self.manifests)
        if found["kind"] == "manifests":
            kind, body = self.manifests.get((repository, found["reference"]), ("", None))
            return (
                _problem(404, "MANIFEST_UNKNOWN") if body is None else _content(request, kind, body)
            )
        body = self.blobs.get((repository, found["reference"]))
        return (
            _problem(404, "BLOB_UNKNOWN")
            if body is None
            else _content(request, "application/octet-stream", body)
        )


def _problem(status: int, code: str, headers: dict | None = None) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
    return Answer(status, {"Content-Type": "application/json"} | (headers or {}), body)


def _content(request: Request, kind: str, body: bytes) -> Answer:
    digest = digest_of(body)
    headers = {
        "Content-Type": kind,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
    }
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("Range") or "")
    if not asked:
        return Answer(200, headers, body, whole=body)
    first, last = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
    if first > last:
        return Answer(416, {"Content-Range": f"bytes */{len(body)}"}, whole=body)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Answer(206, headers, body[first : last + 1], whole=body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: FaultyUpstream

    def __init__(self, *arguments):
        self.connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address) -> None:
        self.connections.add(request)
        self.upstream.connections_made += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def sever(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end was first

    def handle_error(self, request, client_address) -> None:
        if not isinstance(
            sys.exc_info()[1], ConnectionError
        ):  # whoever is being tested may hang up
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = read_body(self)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, parse_qs(parts.query), headers, body, self.path)
        self._send(self.server.upstream._answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        if answer.before_head:
            answer.before_head.hold()
        if answer.silent:
            self._hang_up(answer.reset)
            return
        declared = len(answer.body) if answer.declared is None else answer.declared
        framing = (
            {"Transfer-Encoding": "chunked"}
            if answer.chunked
            else {"Content-Length": str(declared)}
        )
        lines = [f"HTTP/1.1 {answer.status} Whatever"]
        lines += [f"{name}: {value}" for name, value in (answer.headers | framing).items()]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        if self.command == "HEAD":
            return
        end = (
            len(answer.body)
            if answer.cut_after is None
            else min(answer.cut_after, len(answer.body))
        )
        stops = [answer.hold[0]] if answer.hold else []
        start = 0
        for stop in [*stops, end]:
            self._write(answer.body[start:stop], answer.chunked)
            start = stop
            if answer.hold and stop == answer.hold[0]:
                answer.hold[1].hold()
        if answer.cut_after is not None or (not answer.chunked and declared != len(answer.body)):
            self._hang_up(answer.reset)
        elif answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, data: bytes, as_chunks: bool) -> None:
        if as_chunks:
            for at in range(0, len(data), 65536):
                piece = data[at : at + 65536]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self.wfile.write(data)

    def _hang_up(self, reset: bool) -> None:
        self.close_connection = True
        if reset:  # socketserver's own shutdown would send a FIN first
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_) -> None:
        pass


class UpstreamProcess:
    """The same registry in a process of its own, to be killed.

    It holds one blob in repository `app`, `patterned(size)`; each transfer of it stops after
    `hold` bytes and never goes on, unless `hold` is 0.
    """

    def __init__(self, size: int, hold: int, port: int = 0):
        command = [sys.executable, "-m", __name__, str(size), str(hold), str(port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        )
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "UpstreamProcess":
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _main(size: int, hold: int, port: int) -> None:
    upstream = FaultyUpstream(port=port)
    upstream.add_blob("app", patterned(size))
    if hold:
        upstream.fault("GET", "/blobs/", held_at(hold, Gate()))
    print(upstream.port, flush=True)
    upstream.thread.join()


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
