# SPDX-License-Identifier: Apache-2.0
"""What a registry does with what it is sent: uploads in one piece or in several, mounts, manifests
by tag and by digest, deletes. testbed/writable_upstream.py serves it.

Nothing is checked but digests: clients are what is tested elsewhere, and here the gateway.
"""

import json
import re
from itertools import count
from urllib.parse import quote

from .upstream_faults import Answer, Request, digest_of

_UPLOAD = re.compile(r"^/v2/(?P<repository>.+)/blobs/uploads/(?P<session>[^/]*)$")
_CONTENT = re.compile(r"^/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)$")


def read_body(handler) -> bytes:
    """The body of a request of http.server, chunked or with a length."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    pieces = []
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return b"".join(pieces)


class Writes:
    """Over the `manifests` and `blobs` of a `FaultyUpstream`. `answer` is None for what is no
    write."""

    def __init__(self, manifests: dict, blobs: dict):
        self.manifests = manifests
        self.blobs = blobs
        self.uploads: dict[str, bytes] = {}
        self._numbers = count(1)

    def answer(self, request: Request) -> Answer | None:
        if found := _UPLOAD.match(request.path):
            return self._upload(request, found["repository"], found["session"])
        found = _CONTENT.match(request.path)
        if found and request.method == "PUT" and found["kind"] == "manifests":
            return self._put_manifest(request, found["repository"], found["reference"])
        if found and request.method == "DELETE":
            return self._delete(found["repository"], found["kind"], found["reference"])
        return None

    def _upload(self, request: Request, repository: str, session: str) -> Answer:
        if request.method == "POST" and not session:
            mount, source = (request.query.get(key, [None])[0] for key in ("mount", "from"))
            if (source, mount) in self.blobs:
                return self._kept(repository, self.blobs[source, mount])
            session = f"upload-{next(self._numbers)}"
            self.uploads[session] = b""
        if session not in self.uploads:
            return problem(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[session]
            return Answer(204)
        digest = request.query.get("digest", [None])[0]
        data = self.uploads[session] = self.uploads[session] + request.body
        if digest and request.method in ("PUT", "POST"):
            del self.uploads[session]
            return self._kept(repository, data) if digest_of(data) == digest else problem(
                400, "DIGEST_INVALID")
        location = f"/v2/{repository}/blobs/uploads/{session}?_state={quote(repository, safe='')}"
        return Answer(204 if request.method in ("GET", "HEAD") else 202, {
            "Location": location, "Docker-Upload-UUID": session, "Range": f"0-{max(0, len(data) - 1)}"})

    def _kept(self, repository: str, data: bytes) -> Answer:
        self.blobs[repository, digest_of(data)] = data
        return Answer(201, {"Location": f"/v2/{repository}/blobs/{digest_of(data)}",
                            "Docker-Content-Digest": digest_of(data)})

    def _put_manifest(self, request: Request, repository: str, reference: str) -> Answer:
        digest = digest_of(request.body)
        if ":" in reference and reference != digest:
            return problem(400, "DIGEST_INVALID")
        kind = request.header("Content-Type") or ""
        for each in {reference, digest}:
            self.manifests[repository, each] = (kind, request.body)
        headers = {"Location": f"/v2/{repository}/manifests/{digest}", "Docker-Content-Digest": digest}
        subject = json.loads(request.body).get("subject")
        return Answer(201, headers | ({"OCI-Subject": subject["digest"]} if subject else {}))

    def _delete(self, repository: str, kind: str, reference: str) -> Answer:
        held = self.manifests if kind == "manifests" else self.blobs
        gone = held.pop((repository, reference), None)
        if gone is None:
            return problem(404, "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN")
        if kind == "manifests" and ":" in reference:
            for key in [key for key, value in held.items() if key[0] == repository and value == gone]:
                del held[key]
        return Answer(202)


def problem(status: int, code: str, message: str = "") -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower()}]}).encode()
    return Answer(status, {"Content-Type": "application/json"}, body)
