# SPDX-License-Identifier: Apache-2.0
"""The bucket that gateways keep their cache in, seen from outside.

    bucket = CacheBucket(rgw)
    with Fairlead({**config, "cache": {"s3": bucket.settings()}}) as gateway:
        bucket.wait_for(digest)

Keys are those of src/s3/bucket_blob_store.h. What the gateways did is read from RGW's access log;
what this class does itself is not in it. RGW goes by its address and takes any other name for a
bucket's. So clients with a login reach the gateway as `localhost`: for the same name they keep
their Authorization header, whatever the port, and S3 refuses that beside a signature.
"""

import hashlib
import itertools
import re
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from .waiting import wait_until

ROOT = "fairlead"
_ACCESS = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" (\d+) (\d+) \S+ "?([^"]*)"?')
_OURS = "testbed-looking"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class S3Request:
    method: str
    key: str            # decoded; empty: the bucket itself
    query: dict         # name -> value
    status: int
    size: int           # bytes sent
    user_agent: str


def blob_key(digest, root=ROOT, kind="blobs"):
    algorithm, encoded = digest.split(":")
    return f"{root}/{kind}/{algorithm}/{encoded[:2]}/{encoded}".lstrip("/")


class CacheBucket:
    def __init__(self, server, name=None, make=True):
        """A new bucket of `server`, a `Ceph`; with make=False there is none of the name."""
        import boto3
        from botocore.config import Config
        self._server = server
        self.name = name or f"cache-{next(_numbers)}"
        self._s3 = boto3.client(
            "s3", endpoint_url=server.endpoint, region_name="us-east-1",
            aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
            config=Config(user_agent=_OURS))
        if make:
            self.make()

    def make(self):
        self._s3.create_bucket(Bucket=self.name)

    def remove(self):
        """With all that is in it."""
        for key in self.keys():
            self._s3.delete_object(Bucket=self.name, Key=key)
        for upload in self.unfinished():
            self._s3.abort_multipart_upload(Bucket=self.name, **upload)
        self._s3.delete_bucket(Bucket=self.name)

    # -- for the configuration ----------------------------------------------------------------

    @property
    def endpoint(self):
        return self._server.endpoint

    def settings(self, **more):
        """Those of `cache.s3`; None takes one away."""
        found = {"name": self.name, "endpoint": self._server.endpoint, "region": "us-east-1",
                 "access_key": self._server.access_key, "secret_key": self._server.secret_key,
                 "root": f"/{ROOT}"} | more
        return {key: value for key, value in found.items() if value is not None}

    # -- what is in it ------------------------------------------------------------------------

    def keys(self, prefix=""):
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def digests(self):
        """Of the blobs that are there."""
        found = (re.fullmatch(rf"{ROOT}/blobs/(\w+)/(\w\w)/(\2\w+)", key) for key in self.keys())
        return {f"{key[1]}:{key[3]}" for key in found if key}

    def size(self, digest):
        """Of the blob; None: not there."""
        try:
            return self._s3.head_object(Bucket=self.name, Key=blob_key(digest))["ContentLength"]
        except self._s3.exceptions.ClientError:
            return None

    def read(self, digest):
        """The blob's (digest by its bytes, size, Content-Type)."""
        answer = self._s3.get_object(Bucket=self.name, Key=blob_key(digest))
        hasher, size = hashlib.sha256(), 0
        for piece in answer["Body"].iter_chunks(1 << 20):
            hasher.update(piece)
            size += len(piece)
        return "sha256:" + hasher.hexdigest(), size, answer["ContentType"]

    def bytes_of(self, digest):
        """Of the blob; None: not there."""
        try:
            return self._s3.get_object(Bucket=self.name, Key=blob_key(digest))["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None

    def put(self, key, body, **more):
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def delete(self, key):
        self._s3.delete_object(Bucket=self.name, Key=key)

    def unfinished(self):
        """Uploads in parts that are neither complete nor aborted: Key and UploadId of each."""
        found = self._s3.list_multipart_uploads(Bucket=self.name).get("Uploads", ())
        return [{"Key": each["Key"], "UploadId": each["UploadId"]} for each in found]

    def unfinished_parts(self):
        """How many parts of such uploads lie there, and are paid for."""
        return sum(len(self._s3.list_parts(Bucket=self.name, **upload).get("Parts", ()))
                   for upload in self.unfinished())

    def begin_upload(self, key):
        """An upload in parts that nobody goes on with; its UploadId."""
        upload = self._s3.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"]
        self._s3.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=1, Body=b"x")
        return upload

    def wait_for(self, *digests, timeout=30):
        """Waits until the blobs are there."""
        wait_until(lambda: set(digests) <= self.digests(), "uploads to the bucket", timeout, 0.05)

    # -- what was asked of it -----------------------------------------------------------------

    def requests(self, method=None, key="", status=None):
        """Of gateways and their clients, oldest first; `key` is searched as a regular expression."""
        self._settle()
        found = [request for request in map(self._parsed, self._server.requests()) if request]
        return [each for each in found if (method is None or each.method == method)
                and (status is None or each.status == status) and re.search(key, each.key)]

    @contextmanager
    def asked(self, *arguments, **filters):
        """The requests of the `with` block: the list that it gives is filled at its end."""
        before, found = len(self.requests(*arguments, **filters)), []
        yield found
        found += self.requests(*arguments, **filters)[before:]

    def _parsed(self, line):
        access = _ACCESS.match(line)
        if not access or _OURS in line:
            return None
        parts = urlsplit(access[2])
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if bucket != self.name:
            return None
        query = {name: values[0]
                 for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return S3Request(access[1], key, query, int(access[3]), int(access[4]), access[5])

    def _settle(self):
        """The log is written behind the answers: once a marked request is in it, those before are."""
        mark = f"mark-{next(_numbers)}-of-{self.name}"
        try:
            self._s3.list_objects_v2(Bucket=self.name, Prefix=mark, MaxKeys=1)
        except self._s3.exceptions.ClientError:
            pass    # no such bucket; that is in the log, too
        wait_until(lambda: any(mark in line for line in self._server.requests()), "RGW's log",
                   every=0.02)


MIB = 1 << 20
PART = 8 * MIB      # up to so much goes in one piece


def assert_uploaded_once(bucket, digest, size):
    """By the log: in one piece, or in parts of which none was sent twice; and never removed."""
    key = blob_key(digest) + "$"
    puts, posts = bucket.requests("PUT", key), bucket.requests("POST", key)
    begun = [post for post in posts if "uploads" in post.query]
    completed = [post for post in posts if "uploadId" in post.query]
    parts = [put.query["partNumber"] for put in puts if "partNumber" in put.query]
    if size <= PART:
        assert (len(puts), parts, posts) == (1, [], []), (puts, posts)
    else:
        assert len(puts) == len(parts) == len(set(parts)) > 1, puts
        assert (len(begun), len(completed), len(posts)) == (1, 1, 2), posts
    assert sum(put.size for put in puts) == size
    assert {request.status for request in puts + posts} == {200}
    assert bucket.requests("DELETE", key) == []
