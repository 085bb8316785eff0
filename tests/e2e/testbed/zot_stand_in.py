# SPDX-License-Identifier: Apache-2.0
"""A stand-in for zot: not zot, but a server that answers as zot does where it matters to a gateway.

    with ZotStandIn(users={"alice": "secret"}, policies={"team/**": only("alice")}) as zot:
        zot.put("team/app", image, "1.0")

It is used as testbed/zot.py is, wherever zot itself cannot be built. Whether somebody may read is
decided here; what he reads comes from a real registry behind it. Nothing is written through it.

What it imitates was read in zot's sources, of several commits up to about 2.1.15 (pkg/api:
authn.go, authz.go, bearer.go, routes.go; pkg/common: http_server.go), and in its issues. The first
tests of test_zot.py compare it with a zot that runs, where there is one. With passwords:
- Where anything is open to all, the ping is 200 without credentials. It has WWW-Authenticate all
  the same, `basic realm=` and then the realm, which has no quotes and is empty here. podman and
  skopeo take that for a challenge, docker does not (project-zot/zot issues 2928 and 3538). From
  2.1.16 on docker is known by its User-Agent and gets 401; a gateway is no docker.
- Credentials that are wrong, or not Basic, are 401 on every path, also on what is open to all. Its
  body is one error and not the list of the specification.
- Who is anonymous gets 401 Basic for what is not open; a known user without the right 403 DENIED.
  Both have the list, and a challenge.
- The longest pattern that matches decides. `anonymousPolicy` is for the anonymous only: a user
  needs `policies` or `defaultPolicy`.
- `Basic Og==`, an empty name and an empty password, is nobody.

And with `tokens`, where it takes tokens of that `TokenServer` and nothing else:
- Without one, 401 Bearer with a scope, which is empty for the ping; so too where the token does not
  have what is asked for, and there is no 403.
- A token that is expired, or not from there, is 401 UNSUPPORTED with no challenge at all.
"""

import base64
import binascii
import http.server
import json
import re
import shutil
import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from . import images
from .faulty_upstream import RESOURCE
from .http_request import send
from .registry import Registry

_MESSAGES = {"UNAUTHORIZED": "authentication required",
             "DENIED": "requested access to the resource is denied",
             "UNSUPPORTED": "the operation is unsupported",
             "NAME_UNKNOWN": "repository name not known to registry"}
_BASIC = 'Basic realm="Authorization Required"'
# What is between the two ends of a connection, and what the registry behind need not know.
_NOT_PASSED_ON = {"authorization", "connection", "host", "transfer-encoding", "date"}


class ZotStandIn:
    def __init__(self, *, users=None, policies=None, tokens=None):
        self._access = _Tokens(tokens) if tokens else _Passwords(users or {}, policies or {})
        self._stack = ExitStack()
        self._registry = None
        self.host = None

    def __enter__(self):
        with ExitStack() as stack:
            self._registry = stack.enter_context(Registry())
            self._listen(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    @property
    def url(self):
        return f"http://{self.host}"

    def put(self, repository, content, *tags):
        """Puts the image into the registry behind."""
        images.push(self._registry.url, repository, content, *tags)

    def _listen(self, stack):
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler))
        server.daemon_threads = True
        server.access, server.behind = self._access, self._registry.url
        self.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)


class _Refusal(Exception):
    def __init__(self, status, code, challenge=None, *, is_list=True):
        super().__init__(code)
        self.status = status
        self.headers = {"WWW-Authenticate": challenge} if challenge else {}
        error = {"code": code, "message": _MESSAGES[code], "detail": {}}
        self.body = json.dumps({"errors": [error]} if is_list else error).encode()


class _Passwords:
    """`may_read` raises a `_Refusal`. A `repository` of None is the ping, `ping` its challenge."""

    ping = "basic realm="

    def __init__(self, users, policies):
        self._users = users
        self._policies = policies
        self._is_open = any(policy.get("anonymousPolicy") for policy in policies.values())

    def may_read(self, authorization, repository):
        user = self._user(authorization)
        if repository is None or self._can_read(user, repository):
            return
        raise _Refusal(403, "DENIED", _BASIC) if user else _Refusal(401, "UNAUTHORIZED", _BASIC)

    def _user(self, authorization):
        if not authorization or authorization.lower() == "basic og==":
            if self._is_open:
                return None
        else:
            scheme, _, pair = authorization.partition(" ")
            user, colon, password = _decoded(pair).partition(":")
            if scheme.lower() == "basic" and colon and self._users.get(user) == password:
                return user
        raise _Refusal(401, "UNAUTHORIZED", _BASIC, is_list=False)

    def _can_read(self, user, repository):
        matching = [pattern for pattern in self._policies if _matches(pattern, repository)]
        policy = self._policies[max(matching, key=len)] if matching else {}
        if user is None:
            return "read" in policy.get("anonymousPolicy", ())
        return "read" in policy.get("defaultPolicy", ()) or any(
            user in each["users"] and "read" in each["actions"]
            for each in policy.get("policies", ()))


class _Tokens:
    def __init__(self, tokens):
        self._tokens = tokens
        certificate = x509.load_pem_x509_certificate(tokens.certificate_path.read_bytes())
        self._key = certificate.public_key()
        self.ping = f"bearer realm={tokens.realm}"

    def may_read(self, authorization, repository):
        access = self._access(authorization) if authorization else []
        if authorization and repository is None:
            return
        if any(each["type"] == "repository" and each["name"] == repository
               and "pull" in each["actions"] for each in access):
            return
        scope = f"repository:{repository}:pull" if repository else ""
        raise _Refusal(401, "UNAUTHORIZED", f'Bearer realm="{self._tokens.realm}",'
                       f'service="{self._tokens.service}",scope="{scope}"', is_list=False)

    def _access(self, authorization):
        """What the token grants; a word before it other than Bearer makes it none."""
        try:
            signed, _, signature = re.sub("(?i)^bearer ", "", authorization).rpartition(".")
            header, claims = (json.loads(_base64url(part)) for part in signed.split("."))
            if header["alg"] != "RS256" or not claims["nbf"] <= time.time() < claims["exp"]:
                raise ValueError("not valid")
            self._key.verify(_base64url(signature), signed.encode(), padding.PKCS1v15(),
                             hashes.SHA256())
            return claims["access"] or []
        except (ValueError, KeyError, TypeError, InvalidSignature):
            raise _Refusal(401, "UNSUPPORTED", is_list=False) from None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        try:
            self._read()
        except _Refusal as refusal:
            self._answer(refusal.status, refusal.headers, refusal.body)

    do_HEAD = do_GET

    def _read(self):
        path = urlsplit(self.path).path
        found = RESOURCE.match(path)
        access = self.server.access
        if path != "/v2/" and not found:
            raise _Refusal(404, "NAME_UNKNOWN")
        access.may_read(self.headers["Authorization"], found["repository"] if found else None)
        if found:
            self._pass_on()
        else:
            self._answer(200, {"Docker-Distribution-Api-Version": "registry/2.0",
                               "WWW-Authenticate": access.ping}, b"")

    def _pass_on(self):
        connection, response = send(self.server.behind, self.path, method=self.command,
                                    headers=_passed_on(self.headers))
        try:
            headers = _passed_on(response.headers)
            if "Content-Length" not in response.headers:
                self._answer(response.status, headers, response.read())
                return
            self._head(response.status, headers)
            shutil.copyfileobj(response, self.wfile)
        finally:
            connection.close()

    def _answer(self, status, headers, body):
        self._head(status, {"Content-Type": "application/json"} | headers
                   | {"Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


def _passed_on(headers):
    """Of a request or an answer. Several headers of one name become one."""
    names = {name.lower(): name for name in headers if name.lower() not in _NOT_PASSED_ON}
    return {name: ", ".join(headers.get_all(name)) for name in names.values()}


def _matches(pattern, repository):
    """As zot matches: `*` ends at a slash, `**` does not, and `team/**` is `team` too."""
    words = {"/**": "(/.*)?", "**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(words.get(part) or re.escape(part)
                                for part in re.split(r"(/\*\*$|\*\*|\*)", pattern)), repository)


def _decoded(text):
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
