# SPDX-License-Identifier: Apache-2.0
"""A client of the token service that does one thing at a time and hides nothing.

    refused = fetch(gateway.url, "/v2/team/app/manifests/1")
    asked = challenge(refused)                         # realm, service, scope, error
    answer = get_token(gateway, asked, user=("alice", "secret"))
    allowed = fetch(gateway.url, "/v2/team/app/manifests/1", headers=bearer(answer))

`get` does all of that, as an ordinary client would.
"""

import json
import re
from urllib.parse import urlencode, urlsplit

from .http_request import Answer, basic, fetch

ACCEPT = ", ".join((
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json"))
_FORM = "application/x-www-form-urlencoded"
_PARAMETER = r'([A-Za-z_]+)="((?:[^"\\]|\\.)*)"'


def challenge(answer: Answer) -> dict[str, str]:
    """The parameters of the one Bearer challenge that the answer has to have, in its very form."""
    headers = answer.headers.get_all("WWW-Authenticate") or []
    assert len(headers) == 1, headers
    assert re.fullmatch(rf"Bearer {_PARAMETER}(?:,{_PARAMETER})*", headers[0]), headers[0]
    found = re.findall(_PARAMETER, headers[0])
    assert len(dict(found)) == len(found), headers[0]
    return dict(found)


def scope(repository: str, actions: str = "pull") -> str:
    return f"repository:{repository}:{actions}"


def get_token(gateway, asked: dict | None = None, *scopes: str, user=None, more=(),
              headers=None, **options) -> Answer:
    """GET /token. What `asked`, a challenge, has for service and scope is passed on."""
    asked = asked or {}
    query = [("service", asked["service"])] if "service" in asked else []
    query += [("scope", each) for each in (scopes or filter(None, [asked.get("scope")]))]
    headers = ({"Authorization": basic(*user)} if user else {}) | (headers or {})
    target = "/token?" + urlencode([*query, *more])
    return fetch(gateway.url, target.removesuffix("?"), headers=headers, **options)


def post_token(gateway, *scopes: str, headers=None, **form) -> Answer:
    """POST /token with a form of OAuth 2: grant_type, username, password, refresh_token, service."""
    fields = form | ({"scope": " ".join(scopes)} if scopes else {})
    return fetch(gateway.url, "/token", method="POST", body=urlencode(fields).encode(),
                 headers={"Content-Type": _FORM} | (headers or {}))


def token_of(answer: Answer) -> str:
    assert answer.status == 200, (answer.status, answer.body[:300])
    return json.loads(answer.body)["token"]


def bearer(given: Answer | str) -> dict[str, str]:
    token = given if isinstance(given, str) else token_of(given)
    return {"Authorization": f"Bearer {token}"}


def get(gateway, target: str, user=None, headers=None, **options) -> Answer:
    """GET as a client that answers a challenge once. Where no token is given, that answer."""
    headers = {"Accept": ACCEPT} | (headers or {})
    answer = fetch(gateway.url, target, headers=headers, **options)
    if answer.status != 401 or not answer.headers["WWW-Authenticate"]:
        return answer
    asked = challenge(answer)
    assert urlsplit(asked["realm"]).path == "/token", asked
    given = get_token(gateway, asked, user=user, **options)
    if given.status != 200:
        return given
    return fetch(gateway.url, target, headers=headers | bearer(given), **options)


def manifest(repository: str, reference: str = "1", query: str = "") -> str:
    return f"/v2/{repository}/manifests/{reference}{query}"


def blob(repository: str, digest: str) -> str:
    return f"/v2/{repository}/blobs/{digest}"
