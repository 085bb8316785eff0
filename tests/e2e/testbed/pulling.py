# SPDX-License-Identifier: Apache-2.0
"""Pulls through a gateway from one upstream, and what must be true of them.

`serving` puts a gateway in front of an upstream, under the upstream's own names and with the
product's own time limits; IMPATIENT is for upstreams that stall. `pull` fetches a blob through it.
The assertions say what a client would notice, and what is left on the gateway's disk.
"""

import hashlib
from pathlib import Path

from . import raw_http
from .fairlead import Fairlead
from .faulty_upstream import INDEX, MANIFEST, FaultyUpstream
from .upstream_faults import digest_of
from .waiting import wait_until

FOREIGN = "127.0.0.2"  # to the gateway, some other party's machine
IMPATIENT = {"connect": "1s", "first_byte": "1s", "stall": "1s"}


def serving(
    upstream,
    cache: dict | None = None,
    workers: int | None = None,
    route: dict | None = None,
    env: dict | None = None,
    **registry,
) -> Fairlead:
    """A gateway in front of one registry, which it calls `up`, under its own names."""
    settings = {"url": upstream.url} | registry
    config = {
        "registries": {"up": settings},
        "routes": [{"match": "", "to": "up/"} | (route or {})],
    }
    if cache:
        config["cache"] = cache
    if workers:
        config["server"] = {"workers": workers}
    return Fairlead(config, env=env)


def fetch(gateway: Fairlead, path: str, **options) -> raw_http.Response:
    if "/manifests/" in path:
        options.setdefault("headers", {"Accept": f"{MANIFEST}, {INDEX}"})
    return raw_http.fetch(gateway.host, path, **options)


def pull(gateway: Fairlead, digest: str, repository: str = "app", **options) -> raw_http.Response:
    return fetch(gateway, f"/v2/{repository}/blobs/{digest}", **options)


def assert_right(response: raw_http.Response, data: bytes) -> None:
    assert response.status == 200 and response.complete
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(data).digest()
    assert response.header("Content-Encoding") in (None, "identity")


def assert_problem(response: raw_http.Response, statuses: set[int], codes: set[str]) -> None:
    """An error a container client can read, in nobody's words but ours."""
    assert response.status in statuses
    assert response.complete
    assert response.header("Content-Type").split(";")[0] == "application/json"
    assert set(response.error_codes()) <= codes
    assert b"<html" not in response.body.lower() and b"own words" not in response.body


def assert_unavailable(response: raw_http.Response) -> None:
    assert_problem(response, {502, 504}, {"UNAVAILABLE"})


def assert_not_completed(response: raw_http.Response) -> None:
    """Either a clean refusal, or a promise of bytes that is visibly not kept."""
    if response.status >= 400:
        assert_unavailable(response)
    else:
        assert response.status == 200 and not response.complete


def kept(gateway: Fairlead, digest: str) -> list[Path]:
    """Files that pass for the digest's content: anything named by it outside tmp/."""
    end_of_name = digest[-48:]  # the rest may be spread over directories
    files = [
        path
        for path in gateway.cache_directory.rglob("*")
        if path.is_file() and path.name.endswith(end_of_name)
    ]
    return [path for path in files if path.relative_to(gateway.cache_directory).parts[0] != "tmp"]


def assert_nothing_kept(gateway: Fairlead, digest: str) -> None:
    gateway.wait_until_idle()
    assert kept(gateway, digest) == []


def assert_cached(
    gateway: Fairlead, upstream: FaultyUpstream, digest: str, data: bytes, repository="app"
) -> None:
    """Kept under its digest, and served again without a second transfer."""
    wait_until(lambda: kept(gateway, digest), "the blob to be kept")
    before = len(upstream.seen("GET", "/blobs/" + digest))
    assert_right(pull(gateway, digest, repository), data)
    assert len(upstream.seen("GET", "/blobs/" + digest)) == before


STALE = '110 - "Response is Stale"'


def manifest(gateway: Fairlead, reference: str, repository: str = "app", **options):
    return fetch(gateway, f"/v2/{repository}/manifests/{reference}", **options)


def assert_stale(response: raw_http.Response, digest: str) -> None:
    """The last known manifest, and said to be no more than that."""
    assert (response.status, response.header("Docker-Content-Digest")) == (200, digest)
    assert response.header("Warning") == STALE


def assert_current(response: raw_http.Response, digest: str) -> None:
    assert (response.status, response.header("Docker-Content-Digest")) == (200, digest)
    assert response.header("Warning") is None


def pull_image(gateway: Fairlead, reference: str, repository: str = "app") -> set[str]:
    """A manifest and the blobs that it names, as a client pulls them; their digests."""
    answer = manifest(gateway, reference, repository)
    assert answer.status == 200 and answer.complete, answer
    document = answer.json()
    digests = {part["digest"] for part in [document["config"], *document["layers"]]}
    for digest in digests:
        blob = pull(gateway, digest, repository)
        assert blob.status == 200 and blob.complete and digest_of(blob.body) == digest
    return digests | {digest_of(answer.body)}
