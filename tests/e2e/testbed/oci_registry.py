# SPDX-License-Identifier: Apache-2.0
"""A registry in memory that does all that OCI distribution-spec 1.1 names, also what
docker-registry does not: single POST, Content-Range and 416, OCI-Chunk-Min-Length, tags that are
deleted, pages of tags, referrers, OCI-Subject, several tags in one PUT with OCI-Tag.

    with OciRegistry() as registry:
        ...
        assert registry.count("PATCH") == 0

Its Locations are paths, its sessions are the same all the time. A repository below `absent/` is
never made: 404 NAME_UNKNOWN. No blob has more than `largest_blob` bytes.
"""

import hashlib
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from .images import OCI_INDEX, OCI_MANIFEST

_PATHS = re.compile(
    r"/v2/(?P<name>.+?)/(?:blobs/uploads/(?P<session>[^/]*)|blobs/(?P<blob>[^/]+:[^/]+)"
    r"|manifests/(?P<reference>[^/]+)|tags/(?P<tags>list)|referrers/(?P<subject>[^/]+))")
_ALGORITHMS = {"sha256": 64, "sha512": 128}
_LARGEST_MANIFEST = 4 << 20
_MESSAGES = {
    "BLOB_UNKNOWN": "blob unknown to registry", "BLOB_UPLOAD_INVALID": "blob upload invalid",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "MANIFEST_BLOB_UNKNOWN": "manifest references a manifest or blob unknown to registry",
    "MANIFEST_INVALID": "manifest invalid", "MANIFEST_UNKNOWN": "manifest unknown to registry",
    "NAME_UNKNOWN": "repository name not known to registry",
    "SIZE_INVALID": "provided length did not match content length",
    "UNSUPPORTED": "the operation is unsupported"}


def is_digest(text: str) -> bool:
    algorithm, _, encoded = text.partition(":")
    return bool(re.fullmatch("[0-9a-f]+", encoded)) and len(encoded) == _ALGORITHMS.get(algorithm)


def is_of(data: bytes, digest: str) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return hashlib.new(algorithm, data).hexdigest() == encoded


class _Problem(Exception):
    def __init__(self, status, code, headers=None):
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers or {}


class OciRegistry:
    def __init__(self, *, deletes=True, chunk_min_length=None, largest_blob=1 << 30):
        self.lock = threading.Lock()
        self.blobs = {}         # (repository, digest): bytes
        self.manifests = {}     # (repository, digest): (media type, bytes)
        self.tagged = {}        # (repository, tag): digest
        self.sessions = {}      # (repository, id): bytearray
        self.requests = []      # (method, target, headers in lower case)
        self.deletes, self.chunk_min_length = deletes, chunk_min_length
        self.largest_blob = largest_blob
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.registry = self
        self._server.handle_error = lambda *_: None     # a peer that went away is no news
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def seen(self, method=None, pattern=""):
        with self.lock:
            return [each for each in self.requests
                    if method in (None, each[0]) and re.search(pattern, each[1])]

    def count(self, method=None, pattern=""):
        return len(self.seen(method, pattern))

    def forget(self):
        with self.lock:
            self.requests.clear()

    # -- how it answers: status, headers, body ----------------------------------------------------

    def answer(self, method, target, headers, body):
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if parts.path == "/v2/":
            return 200, {"Content-Type": "application/json"}, b"{}"
        found = _PATHS.fullmatch(parts.path)
        if not found or found["name"].startswith("absent/"):
            raise _Problem(404, "NAME_UNKNOWN")
        for kind, serve in (("session", self._upload), ("blob", self._blob),
                            ("reference", self._manifest), ("tags", self._tags),
                            ("subject", self._referrers)):
            if found[kind] is not None:
                return serve(method, found["name"], found[kind], query, headers, body)

    def _upload(self, method, name, session, query, headers, body):
        if not session:
            if method != "POST":
                raise _Problem(405, "UNSUPPORTED")
            return self._open(name, query, body)
        if (name, session) not in self.sessions:
            raise _Problem(404, "BLOB_UPLOAD_UNKNOWN")
        if method == "DELETE":
            del self.sessions[name, session]
            return 204, {}, b""
        if method in ("GET", "HEAD"):
            return 204, self._told(name, session), b""
        held = self.sessions[name, session]
        if "content-range" in headers:
            first, _, last = headers["content-range"].partition("-")
            if int(first) != len(held) or int(last) - int(first) + 1 != len(body):
                raise _Problem(416, "BLOB_UPLOAD_INVALID", self._told(name, session))
        if len(held) + len(body) > self.largest_blob:
            raise _Problem(413, "SIZE_INVALID")
        if method == "PATCH":
            held += body
            return 202, self._told(name, session), b""
        if method != "PUT":
            raise _Problem(405, "UNSUPPORTED")
        answer = self._store(name, query, bytes(held) + body)
        del self.sessions[name, session]
        return answer

    def _open(self, name, query, body):
        digest, source = (query.get(each, [""])[0] for each in ("mount", "from"))
        if (source, digest) in self.blobs:
            self.blobs[name, digest] = self.blobs[source, digest]
            return 201, self._made(name, digest), b""
        if "digest" in query:
            return self._store(name, query, body)
        session = str(uuid.uuid4())
        self.sessions[name, session] = bytearray()
        told = self._told(name, session)
        if self.chunk_min_length:
            told["OCI-Chunk-Min-Length"] = str(self.chunk_min_length)
        return 202, told, b""

    def _store(self, name, query, data):
        digest = query.get("digest", [""])[0]
        if not is_digest(digest) or not is_of(data, digest):
            raise _Problem(400, "DIGEST_INVALID")
        self.blobs[name, digest] = data
        return 201, self._made(name, digest), b""

    @staticmethod
    def _made(name, digest, kind="blobs"):
        return {"Location": f"/v2/{name}/{kind}/{digest}", "Docker-Content-Digest": digest}

    def _told(self, name, session):
        end = max(len(self.sessions[name, session]) - 1, 0)
        return {"Location": f"/v2/{name}/blobs/uploads/{session}?of=us", "Range": f"0-{end}",
                "Docker-Upload-UUID": session}

    def _blob(self, method, name, digest, query, headers, body):
        if method == "DELETE":
            return self._delete(self.blobs, name, digest, "BLOB_UNKNOWN")
        if method not in ("GET", "HEAD"):
            raise _Problem(405, "UNSUPPORTED")
        if not is_digest(digest):
            raise _Problem(400, "DIGEST_INVALID")
        if (name, digest) not in self.blobs:
            raise _Problem(404, "BLOB_UNKNOWN")
        return 200, {"Content-Type": "application/octet-stream",
                     "Docker-Content-Digest": digest}, self.blobs[name, digest]

    def _delete(self, held, name, key, code):
        if not self.deletes:
            raise _Problem(405, "UNSUPPORTED")
        if (name, key) not in held:
            raise _Problem(404, code)
        del held[name, key]
        return 202, {}, b""

    def _manifest(self, method, name, reference, query, headers, body):
        if method == "PUT":
            return self._put_manifest(name, reference, query, headers, body)
        if method == "DELETE":
            if ":" not in reference:
                return self._delete(self.tagged, name, reference, "MANIFEST_UNKNOWN")
            answer = self._delete(self.manifests, name, reference, "MANIFEST_UNKNOWN")
            self.tagged = {key: digest for key, digest in self.tagged.items()
                           if (key[0], digest) != (name, reference)}
            return answer
        if method not in ("GET", "HEAD"):
            raise _Problem(405, "UNSUPPORTED")
        digest = reference if ":" in reference else self.tagged.get((name, reference))
        if (name, digest) not in self.manifests:
            raise _Problem(404, "MANIFEST_UNKNOWN")
        kind, data = self.manifests[name, digest]
        return 200, {"Content-Type": kind, "Docker-Content-Digest": digest}, data

    def _put_manifest(self, name, reference, query, headers, body):
        if len(body) > _LARGEST_MANIFEST:
            raise _Problem(413, "SIZE_INVALID")
        digest = reference if ":" in reference else "sha256:" + hashlib.sha256(body).hexdigest()
        if not is_digest(digest) or not is_of(body, digest):
            raise _Problem(400, "DIGEST_INVALID")
        try:
            document = json.loads(body)
            needed = [*document.get("layers", ()), *filter(None, [document.get("config")])]
            children = document.get("manifests", ())
        except (ValueError, AttributeError):
            raise _Problem(400, "MANIFEST_INVALID") from None
        if (any((name, each["digest"]) not in self.blobs for each in needed)
                or any((name, each["digest"]) not in self.manifests for each in children)):
            raise _Problem(404, "MANIFEST_BLOB_UNKNOWN")
        self.manifests[name, digest] = (headers.get("content-type", OCI_MANIFEST), body)
        tags = query.get("tag", []) + ([] if ":" in reference else [reference])
        self.tagged |= {(name, tag): digest for tag in tags}
        made = self._made(name, digest, "manifests")
        if "subject" in document:
            made["OCI-Subject"] = document["subject"]["digest"]
        return 201, [*made.items(), *(("OCI-Tag", tag) for tag in query.get("tag", ()))], b""

    def _tags(self, method, name, _, query, headers, body):
        found = sorted(tag for held, tag in self.tagged if held == name)
        if not found and not any(held == name for held, _ in [*self.manifests, *self.blobs]):
            raise _Problem(404, "NAME_UNKNOWN")
        found = [tag for tag in found if tag > query.get("last", [""])[0]]
        count = int(query.get("n", [len(found)])[0])
        told = {"Content-Type": "application/json"}
        if 0 < count < len(found):
            told["Link"] = (f"</v2/{name}/tags/list?n={count}&last={quote(found[count - 1])}>; "
                            'rel="next"')
        return 200, told, json.dumps({"name": name, "tags": found[:count]}).encode()

    def _referrers(self, method, name, subject, query, headers, body):
        if not is_digest(subject):
            raise _Problem(400, "DIGEST_INVALID")
        wanted = query.get("artifactType", [None])[0]
        entries = []
        for (held, digest), (kind, data) in self.manifests.items():
            document = json.loads(data)
            about = document.get("subject", {}).get("digest")
            artifact_type = (document.get("artifactType")
                             or document.get("config", {}).get("mediaType"))
            if (held, about) == (name, subject) and wanted in (None, artifact_type):
                entries.append({"mediaType": kind, "digest": digest, "size": len(data),
                                "artifactType": artifact_type})
        told = {"Content-Type": OCI_INDEX} | (
            {"OCI-Filters-Applied": "artifactType"} if wanted else {})
        return 200, told, json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX,
                                      "manifests": entries}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        registry = self.server.registry
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body()
        with registry.lock:
            registry.requests.append((self.command, self.path, headers))
            try:
                status, told, data = registry.answer(self.command, self.path, headers, body)
            except _Problem as problem:
                status, told = problem.status, {"Content-Type": "application/json"} | problem.headers
                data = json.dumps({"errors": [{"code": problem.code,
                                               "message": _MESSAGES[problem.code]}]}).encode()
        self.send_response(status)
        for name, value in told.items() if isinstance(told, dict) else told:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_):
        pass
