# SPDX-License-Identifier: Apache-2.0
"""Everything that a reference leads to, byte for byte, as a server gives it.

    assert contents(fairlead, "apps/web", "1.0") == contents(registry, "corp/apps/web", "1.0")

`server` is whatever has a `url`; redirects of blobs are followed, without the credentials.
"""

import json

from .http_request import fetch
from .images import sha256
from .presigner import fetch as fetch_url
from .token_client import ACCEPT, bearer, blob, challenge, get_token, manifest, scope


def contents(server, repository, reference, headers=None):
    """The bytes of the manifest, the manifests and the blobs that it names, by digest; each is
    what its digest says."""
    answer = fetch(server.url, manifest(repository, reference),
                   headers={"Accept": ACCEPT} | (headers or {}))
    assert answer.status == 200, (repository, reference, answer.status, answer.body[:300])
    assert answer.headers["Docker-Content-Digest"] == answer.digest
    document = json.loads(answer.body)
    assert answer.headers.get_content_type() == document.get("mediaType", answer.headers.get_content_type())
    found = {answer.digest: answer.body}
    for child in document.get("manifests", ()):
        found |= contents(server, repository, child["digest"], headers)
    if "config" in document:
        for each in (document["config"], *document["layers"]):
            if each["digest"] not in found:
                found[each["digest"]] = _blob(server, repository, each["digest"], headers)
            assert len(found[each["digest"]]) == each["size"]
    return found


def digest_of(server, repository, reference, headers=None):
    """What the reference means there."""
    answer = fetch(server.url, manifest(repository, reference), method="HEAD",
                   headers={"Accept": ACCEPT} | (headers or {}))
    assert answer.status == 200, (repository, reference, answer.status)
    return answer.headers["Docker-Content-Digest"]


def _blob(server, repository, digest, headers):
    answer = fetch(server.url, blob(repository, digest), headers=headers)
    body = answer.body
    if answer.status == 307:
        status, _, body = fetch_url(answer.headers["Location"])
        assert status == 200, (digest, status, body[:300])
    else:
        assert answer.status == 200, (repository, digest, answer.status, body[:300])
    assert sha256(body) == digest
    return body


def headers_of(gateway, user, repository, actions="pull"):
    """What a client sends that got a token for those actions, as an ordinary one would."""
    asked = challenge(fetch(gateway.url, "/v2/"))
    return bearer(get_token(gateway, asked, scope(repository, actions), user=user))
