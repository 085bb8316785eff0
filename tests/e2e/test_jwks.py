# SPDX-License-Identifier: Apache-2.0
"""Keys that an identity provider publishes: which are used, and when they are fetched."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed.guarded import assert_unauthorized, guarded, upstream  # noqa: F401
from testbed.http_request import fetch
from testbed.issuers import EcIssuer, HmacIssuer, RsaIssuer, base64url
from testbed.jwks_server import JwksServer
from testbed.token_client import bearer, get, get_token, manifest, scope
from testbed.wall_clock import SteadyClock

TARGET = manifest("team/app")
NAMES = {"iss": "https://idp.test", "aud": "registry"}
FIRST, SECOND = (RsaIssuer(kid=kid, key=kid, **NAMES) for kid in ("first", "second"))


@pytest.fixture
def provider(authority):
    with JwksServer(authority, [FIRST.jwk()]) as server:
        yield server


def trusting(upstream, provider, clock=None, **entry):
    entry = {"jwks": provider.url, "issuer": NAMES["iss"], "audience": NAMES["aud"]} | entry
    return guarded(upstream, {"anonymous": [], "jwt": [entry]},
                   env=provider.environment | (clock.environment if clock else {}))


def pull(gateway, token):
    return fetch(gateway.url, TARGET, headers=bearer(token))


def assert_bad(gateway, token):
    assert_unauthorized(pull(gateway, token), "team/app", "invalid_token")


# Which keys are used.


def test_a_published_key(upstream, provider):
    with trusting(upstream, provider) as gateway:
        assert pull(gateway, FIRST.token("carol")).status == 200
        assert get(gateway, TARGET, user=("x", FIRST.token("carol"))).status == 200
        assert_bad(gateway, SECOND.token("carol"))
        assert_bad(gateway, FIRST.token("carol", iss="https://other.test"))
        assert_bad(gateway, FIRST.token("carol", aud="other"))
        assert_bad(gateway, FIRST.token("carol", exp=-3600))


def test_a_file_of_keys(upstream, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [FIRST.jwk(), EcIssuer(kid="e").jwk()]}))
    with guarded(upstream, {"anonymous": [], "jwt": [{"jwks": str(path)}]}) as gateway:
        assert pull(gateway, FIRST.token("carol")).status == 200
        assert_bad(gateway, SECOND.token("carol"))


KINDS = {  # issuer, what its key says of itself, settings of the entry, whether a token is good
    "RSA's own alg": (RsaIssuer("RS512", kid="k"), {}, {}, True),
    "RSA without alg": (RsaIssuer("RS256", kid="k"), {"alg": None}, {}, True),
    "RSA without alg is not any": (RsaIssuer("RS512", kid="k"), {"alg": None}, {}, False),
    "the entry's algorithm": (RsaIssuer("RS384", kid="k"), {"alg": None},
                              {"algorithm": "RS384"}, True),
    "P-256": (EcIssuer("ES256", kid="k"), {}, {}, True),
    "P-384": (EcIssuer("ES384", kid="k"), {}, {}, True),
    "no use": (RsaIssuer(kid="k"), {"use": None}, {}, True),
    "no kid": (RsaIssuer(), {}, {}, True),
    "for encryption": (RsaIssuer(kid="k"), {"use": "enc"}, {}, False),
    "alg none": (RsaIssuer(kid="k"), {"alg": "none"}, {}, False),
    "alg of another kind": (RsaIssuer(kid="k"), {"alg": "HS256"}, {}, False),
    "1024 bits": (RsaIssuer(kid="k", bits=1024), {}, {}, False),
    "a number that is none": (RsaIssuer(kid="k"), {"n": "*not base64*"}, {}, False),
    "a point off the curve": (EcIssuer(kid="k"), {"y": base64url(b"\1" * 32)}, {}, False),
}


@pytest.mark.parametrize("issuer,said,entry,good", KINDS.values(), ids=KINDS.keys())
def test_kinds_of_keys(upstream, provider, issuer, said, entry, good):
    """A key that is not used does not take the others with it."""
    provider.publish(issuer.jwk(**said), SECOND.jwk())
    token = issuer.token("carol", **NAMES)
    with trusting(upstream, provider, **entry) as gateway:
        if good:
            assert pull(gateway, token).status == 200
        else:
            assert_bad(gateway, token)
        if not entry:
            assert pull(gateway, SECOND.token("carol")).status == 200


def test_a_secret_that_is_published_is_no_key(upstream, provider):
    secret = HmacIssuer(kid="h")
    provider.publish({"kty": "oct", "kid": "h", "alg": "HS256", "k": base64url(secret.secret)},
                     FIRST.jwk())
    with trusting(upstream, provider) as gateway:
        assert_bad(gateway, secret.token("carol", **NAMES))
        assert pull(gateway, FIRST.token("carol")).status == 200


@pytest.mark.parametrize("form", ["pem", "n"])
def test_a_published_key_is_no_secret(upstream, provider, form):
    secret = {"pem": FIRST.public_pem(), "n": FIRST.jwk()["n"].encode()}[form]
    with trusting(upstream, provider) as gateway:
        assert_bad(gateway, HmacIssuer(secret=secret, kid="first").token("carol", **NAMES))


def test_a_token_does_not_say_where_its_key_is(upstream, provider, authority):
    """An attacker's own key set, by the header that was meant for it."""
    mallory = RsaIssuer(kid="first", key="mallory", **NAMES)
    with JwksServer(authority, [mallory.jwk()]) as theirs, trusting(upstream, provider) as gateway:
        for header in ({"jku": theirs.url}, {"x5u": theirs.url}, {"jwk": mallory.jwk()},
                       {"kid": theirs.url}):
            assert_bad(gateway, mallory.token("carol", header=header))
        assert theirs.fetches == 0


# When they are fetched.


def test_keys_are_fetched_once(upstream, provider):
    with trusting(upstream, provider) as gateway:
        tokens = [FIRST.token("carol", jti=str(number)) for number in range(24)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda token: pull(gateway, token), tokens))
        assert {answer.status for answer in answers} == {200}
        assert provider.fetches == 1


def test_a_new_key_is_found(upstream, provider, tmp_path):
    clock = SteadyClock(tmp_path)
    with trusting(upstream, provider, clock) as gateway:
        assert pull(gateway, FIRST.token("carol")).status == 200
        provider.publish(SECOND.jwk())
        clock.advance(31)
        assert pull(gateway, SECOND.token("carol")).status == 200
        assert provider.fetches == 2
        assert_bad(gateway, FIRST.token("carol", jti="withdrawn"))


def test_unknown_keys_do_not_make_it_ask_again_and_again(upstream, provider, tmp_path):
    """Anybody can make up key ids: the provider would be asked for each."""
    clock = SteadyClock(tmp_path)
    with trusting(upstream, provider, clock) as gateway:
        assert pull(gateway, FIRST.token("carol")).status == 200
        for burst in (2, 3):
            clock.advance(31)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda number: assert_bad(gateway, FIRST.token(
                    "carol", header={"kid": f"made-up-{number}"})), range(24)))
            assert provider.fetches <= burst
        assert pull(gateway, FIRST.token("carol", jti="again")).status == 200


TROUBLE = [(500, b"oops"), (404, b"{}"), (200, b"<html>"), (200, b'{"keys": 7}'), (200, b""),
           (200, b'{"keys": [' + b" " * (8 << 20) + b"]}"), (302, b"")]


def test_a_provider_in_trouble_costs_no_keys(upstream, provider, tmp_path):
    clock = SteadyClock(tmp_path)
    with trusting(upstream, provider, clock) as gateway:
        assert pull(gateway, FIRST.token("carol")).status == 200
        for number, (status, body) in enumerate(TROUBLE):
            provider.answer(status, body)
            clock.advance(31)
            fetches = provider.fetches
            assert_bad(gateway, SECOND.token("carol", jti=f"other {number}"))
            assert provider.fetches > fetches, "nothing was tried"
            assert pull(gateway, FIRST.token("carol", jti=f"still {number}")).status == 200


def test_a_provider_that_is_away_at_first(upstream, provider, tmp_path):
    """The gateway starts without it, refuses what it cannot check, and recovers."""
    clock = SteadyClock(tmp_path)
    provider.answer(503, b"")
    with trusting(upstream, provider, clock) as gateway:
        assert pull(gateway, FIRST.token("carol")).status in (401, 502, 503)
        assert get_token(gateway, None, scope("team/app"),
                         user=("x", FIRST.token("carol"))).status in (401, 502, 503)
        provider.publish(FIRST.jwk())
        clock.advance(31)
        assert pull(gateway, FIRST.token("carol")).status == 200
