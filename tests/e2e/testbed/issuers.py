# SPDX-License-Identifier: Apache-2.0
"""Issuers of JSON Web Tokens, honest ones and others.

    issuer = RsaIssuer(kid="a", iss="https://idp.test", aud="registry")
    issuer.public_path(directory)               # the PEM file for `auth.jwt[].key`
    issuer.token("alice")                       # valid for ten minutes
    issuer.token("alice", access={"type": "all"}, exp=-10)

`exp`, `nbf` and `iat` are seconds from now, or None for none. The header says what the issuer
is, unless `header` says otherwise: an attacker writes there what he likes.
"""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def access_to(name: str, *actions: str) -> list[dict]:
    """The distribution's form of an access list; pull where no action is named."""
    return [{"type": "repository", "name": name, "actions": list(actions or ["pull"])}]


def assembled(header: dict, claims: dict | bytes, sign) -> str:
    """A token of exactly these parts; `sign` gets the bytes to be signed."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(body)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


def with_claims(token: str, **changed) -> str:
    """The token with other claims and the signature that it had."""
    header, claims, signature = token.split(".")
    document = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return ".".join((header, base64url(json.dumps(document | changed).encode()), signature))


class _Issuer:
    algorithm: str

    def __init__(self, *, kid: str | None = None, iss: str | None = None, aud=None):
        self.kid = kid
        self._defaults = {name: value for name, value in (("iss", iss), ("aud", aud)) if value}

    def sign(self, data: bytes) -> bytes:
        raise NotImplementedError

    def claims(self, sub=None, *, exp=600, nbf=None, iat=0, **more) -> dict:
        now = int(time.time())
        times = {"exp": exp, "nbf": nbf, "iat": iat}
        found = dict(self._defaults)
        found |= {name: now + value for name, value in times.items() if value is not None}
        found |= {"sub": sub} if sub is not None else {}
        found |= more
        return {name: value for name, value in found.items() if value is not None}

    def header(self) -> dict:
        return {"typ": "JWT", "alg": self.algorithm} | ({"kid": self.kid} if self.kid else {})

    def token(self, sub=None, *, header: dict | None = None, **claims) -> str:
        said = self.header() | (header or {})
        said = {name: value for name, value in said.items() if value is not None}
        return assembled(said, self.claims(sub, **claims), self.sign)


class HmacIssuer(_Issuer):
    def __init__(self, algorithm: str = "HS256", secret: bytes | None = None, **more):
        super().__init__(**more)
        self.algorithm = algorithm
        size = int(algorithm[2:]) // 8
        text = hashlib.sha512(f"testbed {algorithm}".encode()).hexdigest()
        self.secret = secret if secret is not None else text[:size].encode()

    def sign(self, data: bytes) -> bytes:
        return hmac.new(self.secret, data, f"sha{self.algorithm[2:]}").digest()

    def entry(self) -> dict:
        """For `auth.jwt`."""
        return {"algorithm": self.algorithm, "secret": self.secret.decode()}


class _KeyPair(_Issuer):
    key: object

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def public_path(self, directory: Path) -> Path:
        path = Path(directory) / f"{self.algorithm}-{self.kid or 'issuer'}.pem"
        path.write_bytes(self.public_pem())
        return path

    def entry(self, directory: Path, **more) -> dict:
        """For `auth.jwt`."""
        found = {"algorithm": self.algorithm, "key": str(self.public_path(directory))}
        names = {"issuer": self._defaults.get("iss"), "audience": self._defaults.get("aud"),
                 "kid": self.kid}
        return found | {name: value for name, value in names.items() if value} | more


class RsaIssuer(_KeyPair):
    _keys: dict = {}

    def __init__(self, algorithm: str = "RS256", *, key: str = "", bits: int = 2048, **more):
        """Issuers with the same `key` have the same key: making one takes a while."""
        super().__init__(**more)
        self.algorithm = algorithm
        if (key, bits) not in self._keys:
            self._keys[key, bits] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        self.key = self._keys[key, bits]

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, padding.PKCS1v15(), _HASHES[self.algorithm[2:]]())

    def jwk(self, **more) -> dict:
        numbers = self.key.public_key().public_numbers()
        found = {"kty": "RSA", "use": "sig", "alg": self.algorithm, "n": _number(numbers.n),
                 "e": _number(numbers.e)} | ({"kid": self.kid} if self.kid else {}) | more
        return {name: value for name, value in found.items() if value is not None}


class EcIssuer(_KeyPair):
    _CURVES = {"ES256": (ec.SECP256R1, 32, "P-256"), "ES384": (ec.SECP384R1, 48, "P-384")}

    def __init__(self, algorithm: str = "ES256", **more):
        super().__init__(**more)
        self.algorithm = algorithm
        curve, self._size, self._name = self._CURVES[algorithm]
        self.key = ec.generate_private_key(curve())

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(_HASHES[self.algorithm[2:]]())))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def jwk(self, **more) -> dict:
        numbers = self.key.public_key().public_numbers()
        found = {"kty": "EC", "crv": self._name, "use": "sig", "x": _number(numbers.x, self._size),
                 "y": _number(numbers.y, self._size)} | ({"kid": self.kid} if self.kid else {}) | more
        return {name: value for name, value in found.items() if value is not None}
