# SPDX-License-Identifier: Apache-2.0
"""Answers that send a client to a bucket, and what it gets there.

    answer = pull(gateway, digest)
    status, headers, body = follow(answer, digest, {"Range": "bytes=0-9"})
"""

import json

from . import raw_http
from .presigner import fetch as fetch_url
from .pulling import manifest, pull
from .upstream_faults import digest_of


def location_of(answer: raw_http.Response, digest: str) -> str:
    """The URL of a 307, which must be one that a client understands and no cache keeps."""
    assert (answer.status, answer.body, answer.complete) == (307, b"", True), answer
    assert answer.header("Content-Length") == "0"
    assert answer.header("Docker-Content-Digest") == digest
    assert "no-store" in answer.header("Cache-Control")
    return answer.header("Location")


def follow(answer: raw_http.Response, digest: str, headers: dict | None = None, method="GET"):
    """(status, headers, body) of what the answer leads to."""
    return fetch_url(location_of(answer, digest), method, headers)


def body_of(answer: raw_http.Response, digest: str) -> bytes:
    """The bytes, from the answer itself or from where it leads to."""
    if answer.status == 307:
        status, _, body = follow(answer, digest)
        assert status == 200, (status, body)
        return body
    assert answer.status == 200 and answer.complete, answer
    return answer.body


def pull_right(gateway, digest: str, repository="app") -> raw_http.Response:
    """Pulls a blob in whatever way it is given out; its bytes must be right."""
    answer = pull(gateway, digest, repository)
    assert digest_of(body_of(answer, digest)) == digest
    return answer


def pull_image(gateway, reference: str, repository="app") -> set[str]:
    """As pulling.pull_image, redirects followed."""
    answer = manifest(gateway, reference, repository)
    digest = answer.header("Docker-Content-Digest")
    body = body_of(answer, digest)
    assert digest_of(body) == digest
    document = json.loads(body)
    digests = {part["digest"] for part in [document["config"], *document["layers"]]}
    for each in digests:
        pull_right(gateway, each, repository)
    return digests | {digest}


def has_redirect(answer: raw_http.Response) -> bool:
    return answer.header("Location") is not None or answer.status in range(300, 400)
