# SPDX-License-Identifier: Apache-2.0
"""The token service of a `FaultyUpstream`, on the same port: any user may pull what it asks for."""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from .upstream_faults import Answer, Request


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass
class TokenService:
    """Asks for `Bearer` (or `Basic`) on /v2/ and gives tokens at /token of the same server."""

    users: dict[str, str] = field(default_factory=dict)  # empty: anonymous callers get tokens
    challenge: str = 'Bearer realm="{realm}",service="{service}",scope="{scope}"'
    realm: str | None = None  # default: this server's /token
    answer: Callable[[str], bytes] = lambda token: json.dumps(
        {"token": token, "expires_in": 300}
    ).encode()
    issued: dict[str, str] = field(default_factory=dict)  # token -> scopes asked for

    def known(self, authorization: str | None) -> bool:
        return authorization in [basic(*user) for user in self.users.items()]

    def allows(self, request: Request, repository: str) -> bool:
        given = request.header("Authorization") or ""
        if self.known(given):
            return not self.challenge.lower().startswith("bearer")
        scopes = (
            self.issued.get(given.removeprefix("Bearer ")) if given.startswith("Bearer ") else None
        )
        return scopes is not None and (not repository or f"repository:{repository}:" in scopes)

    def give(self, request: Request) -> Answer:
        form = parse_qs(request.body.decode("latin-1"))
        posted = [(form.get("username", [""])[0], form.get("password", [""])[0])]
        if (
            self.users
            and not self.known(request.header("Authorization"))
            and posted[0] not in self.users.items()
        ):
            return Answer(
                401, {"Content-Type": "application/json"}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
            )
        token = f"upstream-token-{secrets.token_hex(8)}"
        self.issued[token] = " ".join(request.query.get("scope", []) + form.get("scope", []))
        return Answer(200, {"Content-Type": "application/json"}, self.answer(token))
