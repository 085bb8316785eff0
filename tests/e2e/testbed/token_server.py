# SPDX-License-Identifier: Apache-2.0
"""A token server of the distribution kind: RS256 tokens whose header carries the certificate.

It counts what it is asked. Any valid user may pull anything, or do there what `actions` names,
unless `owners` says for which repositories a user is let in; with `anonymous=True` anybody else may
pull, and with a string who is anonymous may pull what begins so. Tokens live for `lifetime` seconds. A login that asks for it is
also given an identity token, which stands for the password.
"""

import base64
import http.server
import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import certificates
from .http_request import basic


@dataclass(frozen=True)
class TokenRequest:
    method: str
    service: str
    scopes: tuple
    user: str          # "" for an anonymous one
    status: int
    user_agent: str


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    issuer = "testbed-issuer"

    def __init__(self, directory, *, username=None, password=None, anonymous=False, lifetime=300,
                 service="registry.testbed", address=("127.0.0.1", 0), tls=None, hostname=None,
                 owners=None, actions=("pull",)):
        """`tls` is a `Certificate`; `hostname` is what the realm names instead of the address.

        `owners` maps more users to a password and the prefix of the repositories they may pull.
        """
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.service = service
        self.requests = []
        self._users = {username: password} if username is not None else {}
        self._users.update({user: secret for user, (secret, _) in (owners or {}).items()})
        self._prefixes = {user: prefix for user, (_, prefix) in (owners or {}).items()}
        if isinstance(anonymous, str):
            self._prefixes[""] = anonymous
        self.issued = []            # every token that was given
        self.identity_tokens = {}   # identity token -> user
        self._anonymous = anonymous is not False
        self._actions = actions
        self._lifetime = lifetime
        self._make_signing_key()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer._answer(self, parse_qs(urlsplit(self.path).query))

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                outer._answer(self, parse_qs(self.rfile.read(length).decode()))

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.chain_path, tls.key_path)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        host, port = self._server.server_address
        self.realm = f"{'https' if tls else 'http'}://{hostname or f'{host}:{port}'}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self):
        self.requests.clear()

    def _make_signing_key(self):
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = (certificates.certificate_builder(self.issuer, self.issuer, self._key)
                       .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                       .sign(self._key, hashes.SHA256()))
        self.certificate_path = self.directory / "token.pem"
        self.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    def _answer(self, handler, form):
        scopes = tuple(scope for value in form.get("scope", []) for scope in value.split())
        user, allowed = self._authenticate(handler, form)
        status = 200 if allowed else 401
        if allowed:
            now = time.time()
            token = self.token(user, scopes, now)
            self.issued.append(token)
            answer = {"token": token, "access_token": token, "expires_in": self._lifetime,
                      "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))}
            if user and (form.get("offline_token") or form.get("access_type")):
                answer["refresh_token"] = self.identity_token(user)
        else:
            answer = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect user or password"}]}
        self.requests.append(TokenRequest(
            handler.command, form.get("service", [""])[0], scopes, user, status,
            handler.headers.get("User-Agent", "")))
        body = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def identity_token(self, user):
        """What stands for the user's password from now on."""
        made = f"identity-{secrets.token_hex(12)}"
        self.identity_tokens[made] = user
        return made

    def _authenticate(self, handler, form):
        header = handler.headers.get("Authorization")
        if form.get("grant_type") == ["refresh_token"]:
            user = self.identity_tokens.get(form.get("refresh_token", [""])[0])
            return user or "", user is not None
        if form.get("grant_type") == ["password"]:
            name, secret = form.get("username", [""])[0], form.get("password", [""])[0]
            return (name, True) if self._users.get(name) == secret else ("", False)
        if header:
            for name, secret in self._users.items():
                if header == basic(name, secret):
                    return name, True
            return "", False
        return "", self._anonymous

    def token(self, user, scopes, now):
        """A signed token for what of `scopes` is open to the user."""
        may = self._actions if user else ("pull",)
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [action for action in actions.split(",") if action in may]
            if (kind == "repository" and granted
                    and name.startswith(self._prefixes.get(user, ""))):
                access.append({"type": kind, "name": name, "actions": granted})
        return self.signed(user, access, now)

    def signed(self, user, access, now=None):
        """A token that grants whatever `access` says."""
        now = time.time() if now is None else now
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._x5c]}
        claims = {"iss": self.issuer, "sub": user, "aud": self.service, "exp": int(now) + self._lifetime,
                  "nbf": int(now) - 10, "iat": int(now), "jti": f"{now:.6f}", "access": access}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"
