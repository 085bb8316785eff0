# SPDX-License-Identifier: Apache-2.0
"""What it costs to know who asks: processor time of a gateway for one request of a cached manifest.

    tokens.py PROGRAM

The same manifest is asked for without credentials, with tokens that the gateway has seen before,
and with tokens that it sees for the first time, in rounds that take turns. Prints a line each:
the median of the rounds, and that of the ratios to the anonymous requests of the same round, which
is what a busy machine changes least.
"""

import base64
import hashlib
import hmac
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from gateway import MANIFEST_BYTES, Connection, Gateway, Upstream, request

ROUNDS = 41
REQUESTS = 150  # of one kind in a round
SECRET = "a secret of forty bytes, more than needed"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
_serial = itertools.count()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(algorithm: str, data: bytes) -> bytes:
    if algorithm == "HS256":
        return hmac.new(SECRET.encode(), data, hashlib.sha256).digest()
    if algorithm == "RS256":
        return RSA_KEY.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = utils.decode_dss_signature(EC_KEY.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def jwt(algorithm: str) -> str:
    """A new one each time."""
    claims = {"iss": algorithm.lower(), "sub": "ci", "aud": "registry", "iat": int(time.time()),
              "exp": int(time.time()) + 3600, "jti": str(next(_serial)),
              "access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}]}
    header = {"alg": algorithm, "typ": "JWT"}
    text = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{_base64url(_sign(algorithm, text.encode()))}"


def sealed(connection: Connection) -> str:
    """A new one each time, as docker gets it for a JWT."""
    pair = base64.b64encode(f"ci:{jwt('HS256')}".encode()).decode()
    body = connection.expect(
        request("/token?service=registry.example&scope=repository:team/app:pull", f"Basic {pair}"), 200)
    return json.loads(body)["token"]


def config(upstream: Upstream, keys) -> dict:
    entries = [{"algorithm": "HS256", "secret": SECRET, "issuer": "hs256"}]
    for algorithm, path in keys.items():
        entries.append({"algorithm": algorithm, "key": str(path), "issuer": algorithm.lower()})
    return {"registries": {"up": {"url": upstream.url}}, "routes": [{"match": "", "to": "up/"}],
            "auth": {"token_ttl": "1h", "jwt": [{**entry, "audience": "registry"} for entry in entries]}}


def write_public_keys(directory) -> dict:
    paths = {}
    for algorithm, key in (("RS256", RSA_KEY), ("ES256", EC_KEY)):
        paths[algorithm] = directory / f"{algorithm}.pem"
        paths[algorithm].write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return paths


def measure(gateway: Gateway, connection: Connection, requests: list) -> float:
    """Microseconds of processor time for one of `requests`."""
    before = gateway.cpu_ns()
    for one in requests:
        connection.exchange(one)
    return (gateway.cpu_ns() - before) / 1000 / len(requests)


def run(gateway: Gateway, target: str) -> dict:
    connection = Connection(gateway.port)

    def bearer(token: str) -> bytes:
        return request(target, f"Bearer {token}")

    remembered = {"anonymous": request(target), "sealed, remembered": bearer(sealed(connection)),
                  "HS256, remembered": bearer(jwt("HS256"))}
    fresh = {"HS256, first time": lambda: jwt("HS256"), "RS256, first time": lambda: jwt("RS256"),
             "ES256, first time": lambda: jwt("ES256"),
             "sealed, first time": lambda: sealed(connection)}
    for one in (*remembered.values(), *(bearer(make()) for make in fresh.values())):
        for _ in range(50):
            connection.expect(one, 200)
    found = {name: [] for name in (*remembered, *fresh)}
    for _ in range(ROUNDS):
        for name, one in remembered.items():
            found[name].append(measure(gateway, connection, [one] * REQUESTS))
        for name, make in fresh.items():
            requests = [bearer(make()) for _ in range(REQUESTS)]
            connection.expect(request(target), 200)
            found[name].append(measure(gateway, connection, requests))
            connection.expect(requests[0], 200)
    return found


def main() -> None:
    with Upstream() as upstream:
        with tempfile.TemporaryDirectory() as directory:
            keys = write_public_keys(Path(directory))
            with Gateway(sys.argv[1], config(upstream, keys)) as gateway:
                found = run(gateway, upstream.target)
    for name, values in found.items():
        ratios = sorted(one / of for one, of in zip(values, found["anonymous"]))
        quarter = len(ratios) // 4
        print(f"tokens: {name:<18} {statistics.median(values):6.1f} us of processor time a request of "
              f"a cached manifest of {MANIFEST_BYTES} bytes, {statistics.median(ratios):.2f} times an "
              f"anonymous one (medians of {ROUNDS} rounds of {REQUESTS}; half of them from "
              f"{ratios[quarter]:.2f} to {ratios[-quarter - 1]:.2f})")


if __name__ == "__main__":
    main()
