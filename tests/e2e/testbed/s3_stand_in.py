# SPDX-License-Identifier: Apache-2.0
"""An S3 server that fails on command, and whose objects are as old as a test wants them.

    with S3StandIn() as server:
        server.put("fairlead/blobs/...", data, days_old=40)
        server.fault("PUT", "/cache/", slow_down())

It is a FaultyUpstream that keeps objects instead of images: faults, gates, `requests` and `stop`
are the same. It has one bucket, `cache`, in path style, and looks at no signature: for these there
is testbed/ceph.py.
"""

import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from time import gmtime, strftime, time
from urllib.parse import unquote
from xml.sax.saxutils import escape

from .cache_bucket import ROOT, blob_key
from .faulty_upstream import FaultyUpstream
from .upstream_faults import Answer, Fault, Gate, Request, changed, failing, held_at

BUCKET = "cache"
ACCESS_KEY, SECRET_KEY = "STANDINACCESSKEY0000", "stand-in/secret+key/of/forty/characters0"
_XML = {"Content-Type": "application/xml"}
_upload_numbers = itertools.count(1)


@dataclass(frozen=True)
class Object:
    body: bytes
    kind: str
    modified: float
    meta: dict = field(default_factory=dict)    # x-amz-meta-*

    @property
    def etag(self) -> str:
        return '"' + hashlib.md5(self.body).hexdigest() + '"'


@dataclass
class Upload:
    key: str
    kind: str
    meta: dict
    parts: dict = field(default_factory=dict)


def error(status: int, code: str, message: str = "", headers: dict | None = None) -> Fault:
    """S3's way to say no."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message or code)}</Message></Error>"
    return failing(status, body.encode(), "application/xml", headers)


def slow_down() -> Fault:
    return error(503, "SlowDown", "Please reduce your request rate.")


class S3StandIn(FaultyUpstream):
    def __init__(self, *arguments, **more):
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, Upload] = {}
        super().__init__(*arguments, **more)

    def settings(self, **more) -> dict:
        """Those of `cache.s3`."""
        return {"name": BUCKET, "endpoint": self.url, "access_key": ACCESS_KEY,
                "secret_key": SECRET_KEY, "root": f"/{ROOT}"} | more

    def put(self, key: str, body: bytes, kind="application/octet-stream", days_old=0.0) -> None:
        with self.lock:
            self.objects[key] = Object(body, kind, time() - days_old * 86400)

    def put_blob(self, data: bytes, days_old: float, used_days_ago: float | None = None) -> str:
        """A cached blob, with a mark where it was used; its digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.put(blob_key(digest), data, days_old=days_old)
        if used_days_ago is not None:
            self.put(blob_key(digest, kind="used"), b"", days_old=used_days_ago)
        return digest

    def holds(self, digest: str) -> bool:
        with self.lock:
            return blob_key(digest) in self.objects

    # How it answers. Called with the lock held.

    def _truth(self, request: Request) -> Answer:
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            return error(404, "NoSuchBucket")(None, None)
        if not key:
            return self._of_bucket(request)
        upload = self.uploads.get(request.query.get("uploadId", [""])[0])
        if "uploadId" in request.query and not upload:
            return error(404, "NoSuchUpload")(None, None)
        answer: Callable = {"GET": self._get, "HEAD": self._get, "DELETE": self._delete,
                            "PUT": self._put, "POST": self._post}[request.method]
        return answer(request, key, upload)

    def _of_bucket(self, request: Request) -> Answer:
        if request.method == "HEAD":
            return Answer(200)
        prefix = request.query.get("prefix", [""])[0]
        if "list-type" not in request.query:
            found = "".join(
                f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{name}</UploadId>"
                f"<Initiated>{_iso(time())}</Initiated></Upload>"
                for name, upload in self.uploads.items() if upload.key.startswith(prefix))
            return _document("ListMultipartUploadsResult", found)
        after = request.query.get("continuation-token", request.query.get("start-after", [""]))[0]
        most = int(request.query.get("max-keys", ["1000"])[0])
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key].body)}</Size>"
            f"<LastModified>{_iso(self.objects[key].modified)}</LastModified>"
            f"<ETag>{escape(self.objects[key].etag)}</ETag></Contents>" for key in keys[:most])
        more = len(keys) > most
        found += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            found += f"<NextContinuationToken>{escape(keys[most - 1])}</NextContinuationToken>"
        return _document("ListBucketResult", found)

    def _get(self, request: Request, key: str, _) -> Answer:
        found = self.objects.get(key)
        if not found:
            return error(404, "NoSuchKey")(None, None)
        headers = {"Content-Type": request.query.get("response-content-type", [found.kind])[0],
                   "ETag": found.etag, "Accept-Ranges": "bytes",
                   "Last-Modified": formatdate(found.modified, usegmt=True)} | found.meta
        body = found.body
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("Range") or "")
        if not asked:
            return Answer(200, headers, body, whole=body)
        first, last = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
        if first > last:
            return error(416, "InvalidRange")(None, None)
        told = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
        return Answer(206, headers | told, body[first:last + 1], whole=body)

    def _delete(self, request: Request, key: str, upload: Upload | None) -> Answer:
        if upload:
            del self.uploads[request.query["uploadId"][0]]
        else:
            self.objects.pop(key, None)
        return Answer(204)

    def _put(self, request: Request, key: str, upload: Upload | None) -> Answer:
        if upload:
            upload.parts[int(request.query["partNumber"][0])] = request.body
            etag = '"' + hashlib.md5(request.body).hexdigest() + '"'
        else:
            self.objects[key] = Object(request.body, *_described(request))
            etag = self.objects[key].etag
        return Answer(200, {"ETag": etag})

    def _post(self, request: Request, key: str, upload: Upload | None) -> Answer:
        if not upload:
            name = f"upload-{next(_upload_numbers)}"
            kind, _, meta = _described(request)
            self.uploads[name] = Upload(key, kind, meta)
            return _document("InitiateMultipartUploadResult",
                             f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
                             f"<UploadId>{name}</UploadId>")
        del self.uploads[request.query["uploadId"][0]]
        body = b"".join(part for _, part in sorted(upload.parts.items()))
        self.objects[key] = Object(body, upload.kind, time(), upload.meta)
        return _document("CompleteMultipartUploadResult",
                         f"<Key>{escape(key)}</Key><ETag>{escape(self.objects[key].etag)}</ETag>")


def _described(request: Request) -> tuple[str, float, dict]:
    meta = {name: value for name, value in request.headers.items()
            if name.startswith("x-amz-meta-")}
    return request.header("Content-Type") or "binary/octet-stream", time(), meta


def _iso(when: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S.000Z", gmtime(when))


def _document(name: str, inside: str) -> Answer:
    text = ('<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{name}>')
    return Answer(200, _XML, text.encode())


class _Pause(Gate):
    def __init__(self, seconds: float):
        super().__init__()
        self._seconds = seconds

    def hold(self) -> None:
        self.reached.set()
        self.released.wait(self._seconds)


def late(server: FaultyUpstream, seconds: float, after: int | None = None) -> Fault:
    """Every answer begins so late, or stops for so long after that many bytes of its body."""
    pause = _Pause(seconds)
    server.gates.append(pause)
    return changed(before_head=pause) if after is None else held_at(after, pause)
