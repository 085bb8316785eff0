# SPDX-License-Identifier: Apache-2.0
"""A bucket that a registry keeps its data in: what Fairlead must be told of it, and what was asked
of it.

    with Fairlead(configuration(rgw, bucket(rgw, "registry")), env=keys(rgw)) as fairlead:
        watch = Watch(rgw)
        ...
        assert watch.by_clients("GET") and not watch.by_fairlead("GET", "/data")

Clients are to call Fairlead `localhost`, for RGW is 127.0.0.1: see `host`.
"""

import re
from dataclasses import dataclass
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit

from .http_request import fetch
from .presigner import fetch as fetch_url
from .waiting import wait_until

NAME = "upstream.test"
_LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[0-9.]+" (?P<status>\d+) (?P<size>\d+) '
                   r'(?:"[^"]*"|-) (?:"(?P<agent>[^"]*)"|-) ')     # the referer, the agent
_OTHERS = ("aws-sdk-go", "Boto3", "testbed-mark")       # registries, and the tests themselves
_marks = count(1)


def host(fairlead):
    """What clients are to call Fairlead. Those in Go send the Authorization header along when they
    are redirected to another port of the same host name, and an S3 server refuses a request that
    is signed by its URL and has that header as well: so the bucket, 127.0.0.1, needs another name
    than the gateway. Who runs both on one machine meets this too."""
    return f"localhost:{fairlead.port}"


def s3_client(rgw):
    """boto3's."""
    import boto3
    return boto3.client("s3", endpoint_url=rgw.endpoint, region_name="us-east-1",
                        aws_access_key_id=rgw.access_key, aws_secret_access_key=rgw.secret_key)


def keys(rgw, **other):
    """Fairlead's environment, to which `bucket` refers."""
    return {"S3_ACCESS_KEY": rgw.access_key, "S3_SECRET_KEY": rgw.secret_key, **other}


def bucket(rgw, name, layout="distribution", root="/registry", **more):
    """For `registries.NAME.bucket`; the root is that of `s3_storage`. None takes a setting away."""
    found = {"name": name, "endpoint": rgw.endpoint, "region": "us-east-1", "layout": layout,
             "root": root, "access_key": "env:S3_ACCESS_KEY", "secret_key": "env:S3_SECRET_KEY"}
    return {key: value for key, value in (found | more).items() if value is not None}


def configuration(settings, *, routes=None, registry=None, **sections):
    """One registry before which `settings`, those of `bucket`, stand; without `url` in `registry`
    there is the bucket alone."""
    found = {"bucket": settings, "deliver": "redirect", **(registry or {})}
    return {"registries": {NAME: {key: value for key, value in found.items() if value is not None}},
            "routes": routes or [{"match": "", "to": f"{NAME}/"},
                                 {"match": f"{NAME}/", "to": f"{NAME}/"},
                                 {"namespace": "*", "to": "{1}/"}],
            **sections}


# -- what Fairlead answers --------------------------------------------------------------------


def assert_redirected(answer, digest, status=307):
    """A redirect with all that belongs to it and nothing else; its Location."""
    assert answer.status == status, (answer.status, answer.body[:300])
    assert answer.body == b"" and answer.headers["Content-Length"] == "0"
    assert answer.headers["Docker-Content-Digest"] == digest
    assert answer.headers["Cache-Control"] == "no-store"
    locations = answer.headers.get_all("Location")
    assert len(locations) == 1 and urlsplit(locations[0]).scheme in ("http", "https"), locations
    return locations[0]


def signed(location):
    """The parameters of a presigned URL; each is there once."""
    query = parse_qs(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values()), query
    return {name: values[0] for name, values in query.items()}


def assert_gets(location, blob, media_type="application/octet-stream"):
    """Whoever has the URL has the blob, whole and in parts, and needs nothing else."""
    status, headers, body = fetch_url(location)
    assert (status, body == blob.data, headers["Content-Type"]) == (200, True, media_type), body[:300]
    status, headers, body = fetch_url(location, headers={"Range": "bytes=3-9"})
    assert (status, body) == (206, blob.data[3:10])
    assert headers["Content-Range"] == f"bytes 3-9/{blob.size}"


def assert_no_location(answer):
    assert answer.headers["Location"] is None
    for value in (*answer.headers.values(), answer.body.decode(errors="replace")):
        assert "X-Amz-" not in value


# -- what RGW was asked -----------------------------------------------------------------------


@dataclass(frozen=True)
class Access:
    """One answered request; `size` is the body bytes sent."""
    method: str
    target: str
    status: int
    size: int
    user_agent: str

    @property
    def key(self):
        """Of the object, without the bucket."""
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[2]

    @property
    def digest(self):
        """Of which the object holds the bytes, or None."""
        found = (re.search(r"blobs/(\w+)/\w\w/(\w+)/data$", self.key)
                 or re.search(r"blobs/(\w+)/([0-9a-f]{64,})$", self.key))
        return f"{found[1]}:{found[2]}" if found else None


class Watch:
    """What RGW has answered since this was made."""

    def __init__(self, rgw):
        self._rgw = rgw
        self._seen = len(self._settled())

    def requests(self, method=None, pattern=""):
        return [access for access in self._settled()[self._seen:]
                if method in (None, access.method) and re.search(pattern, access.key)]

    def by_fairlead(self, method=None, pattern=""):
        return [access for access in self.requests(method, pattern)
                if access.user_agent.startswith("fairlead")]

    def by_clients(self, method=None, pattern=""):
        return [access for access in self.requests(method, pattern)
                if not access.user_agent.startswith(("fairlead", *_OTHERS))]

    def _settled(self):
        """The log is written after the answer: what was answered before a marked request is in
        the log once the mark is."""
        mark = f"/testbed-mark/{next(_marks)}"
        fetch(self._rgw.endpoint, mark, headers={"User-Agent": "testbed-mark"})
        wait_until(lambda: any(mark + " " in line for line in self._rgw.requests()[-50:]),
                   "RGW's log")
        return [access for access in map(_parsed, self._rgw.requests())
                if not access.target.startswith("/testbed-mark/")]


def _parsed(line):
    found = _LINE.match(line)
    assert found, line
    return Access(found["method"], found["target"], int(found["status"]), int(found["size"]),
                  found["agent"] or "")
