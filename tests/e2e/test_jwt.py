# SPDX-License-Identifier: Apache-2.0
"""Tokens of outside issuers: as Bearer and as the password of a login, good ones and forged ones."""

import json

import pytest
from testbed import fairlead
from testbed.checks import assert_error
from testbed.faulty_upstream import FaultyUpstream
from testbed.guarded import (  # noqa: F401
    REPOSITORIES,
    assert_denied,
    assert_refused,
    assert_unauthorized,
    configuration,
    fill,
    guarded,
    untouched,
    upstream,
)
from testbed.http_request import basic, fetch
from testbed.issuers import (
    EcIssuer,
    HmacIssuer,
    RsaIssuer,
    access_to,
    assembled,
    with_claims,
)
from testbed.token_client import bearer, get, get_token, manifest, post_token, scope

TEAM = scope("team/app")
TARGET = manifest("team/app")
ISS, AUD = "https://idp.test", "registry"


# Each login that fails comes from elsewhere, for who fails too often is no longer listened to.
elsewhere = (f"127.0.{high}.{low}" for high in range(2, 250) for low in range(1, 250))


def pull(gateway, token, repository="team/app"):
    return fetch(gateway.url, manifest(repository), headers=bearer(token))


def logged_in(gateway, token, repository="team/app", user="whoever"):
    return get(gateway, manifest(repository), user=(user, token))


def assert_good(gateway, token, repository="team/app"):
    assert pull(gateway, token, repository).status == 200
    assert logged_in(gateway, token, repository).status == 200


def assert_bad(gateway, token):
    """Refused as Bearer and as the password of a login, and the upstream hears of neither."""
    with untouched(gateway.upstream):
        assert_unauthorized(pull(gateway, token), "team/app", "invalid_token")
        assert_unauthorized(fetch(gateway.url, "/v2/", headers=bearer(token)), error="invalid_token")
        refused = get_token(gateway, None, TEAM, user=("whoever", token), source=next(elsewhere))
        assert_error(refused, 401, "UNAUTHORIZED")
    assert "eyJ" not in gateway.stderr(), "a token in the log"


RSA = RsaIssuer(iss=ISS, aud=AUD, kid="a")
MALLORY = RsaIssuer(iss=ISS, aud=AUD, kid="a", key="mallory")
HMAC = HmacIssuer()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Takes tokens of RSA, whose key it has with the id `a`, and nobody else's."""
    auth = {"anonymous": [], "jwt": [RSA.entry(tmp_path_factory.mktemp("keys"))]}
    with FaultyUpstream() as server, guarded(fill(server), auth) as running:
        running.upstream = server
        yield running


# Good tokens.


ISSUERS = {name: maker for maker, names in (
    (HmacIssuer, ("HS256", "HS384", "HS512")), (RsaIssuer, ("RS256", "RS384", "RS512")),
    (EcIssuer, ("ES256", "ES384"))) for name in names}


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_every_algorithm(upstream, tmp_path, algorithm):
    issuer = ISSUERS[algorithm](algorithm)
    entry = issuer.entry() if algorithm.startswith("HS") else issuer.entry(tmp_path)
    with guarded(upstream, {"anonymous": [], "jwt": [entry]}) as gateway:
        assert_good(gateway, issuer.token("carol"))
        token = issuer.token("carol")
        assert pull(gateway, with_claims(token, sub="alice")).status == 401
        assert pull(gateway, token[:-8] + "AAAAAAA" + token[-1]).status == 401


def test_several_issuers(upstream, tmp_path):
    issuers = [HMAC, RSA, EcIssuer()]
    entries = [HMAC.entry(), RSA.entry(tmp_path), issuers[2].entry(tmp_path)]
    with guarded(upstream, {"anonymous": [], "jwt": entries}) as gateway:
        for issuer in issuers:
            assert_good(gateway, issuer.token("carol"))


def test_every_way_to_log_in(gateway):
    token = RSA.token("carol")
    for user in ("carol", "anybody-else", "<token>"):
        assert logged_in(gateway, token, user=user).status == 200
    for form in ({"grant_type": "password", "username": "<token>", "password": token},
                 {"grant_type": "refresh_token", "refresh_token": token}):
        given = post_token(gateway, TEAM, service=gateway.host, **form)
        assert pull(gateway, json.loads(given.body)["token"]).status == 200
    assert fetch(gateway.url, TARGET,
                 headers={"Authorization": basic("carol", token)}).status == 200
    assert get_token(gateway, {"service": gateway.host}, user=("carol", token)).status == 200
    assert fetch(gateway.url, "/v2/", headers=bearer(token)).status == 200


CLAIMS = {
    "several audiences": {"aud": ["other", AUD]},
    "no subject": {"sub": None},
    "soon to end": {"exp": 30},
    "long ago issued": {"iat": -10 ** 8},
    "begun just now": {"nbf": -1},
    "no iat": {"iat": None},
    "more claims": {"groups": ["a"], "jti": "x", "azp": None},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
def test_claims_that_are_right(gateway, claims):
    assert_good(gateway, RSA.token(**{"sub": "carol"} | claims))


# What a token gives.

DISTRIBUTION = access_to("team/app", "pull") + access_to("other/app", "pull", "push")
ACCESS = {  # access: the repositories it opens
    "distribution": (DISTRIBUTION, {"team/app", "other/app"}),
    "any action": (access_to("team/app", "*"), {"team/app"}),
    "exact names": (access_to("team", "pull"), set()),
    "other actions": (access_to("team/app", "push"), set()),
    "other types": ([{"type": "registry", "name": "catalog", "actions": ["*"]}], set()),
    "nothing": ([], set()),
    "all": ({"type": "all"}, set(REPOSITORIES)),
    "all, but to push": ({"type": "all", "actions": ["push"]}, set()),
    "subtrees": ({"type": "repositories", "repos": ["team", "other/app"]},
                 {"team/app", "team/deep/app", "other/app"}),
    "a subtree of one": ({"type": "repositories", "repos": ["team/app"], "actions": ["pull"]},
                         {"team/app"}),
    "no subtree": ({"type": "repositories", "repos": []}, set()),
}


@pytest.mark.parametrize("access,opened", ACCESS.values(), ids=ACCESS.keys())
def test_an_access_list_is_all_that_a_token_gives(gateway, access, opened):
    token = RSA.token("carol", access=access)
    for repository in REPOSITORIES:
        for answer in (pull(gateway, token, repository), logged_in(gateway, token, repository)):
            if repository in opened:
                assert answer.status == 200
            else:
                assert_denied(answer)


def test_a_login_gives_no_more_than_the_token(gateway):
    """The sealed token is asked for everything; the access list stays what it is."""
    token = RSA.token("carol", access=access_to("team/app", "pull"))
    given = get_token(gateway, None, TEAM, scope("other/app", "pull,push"), user=("x", token))
    assert pull(gateway, json.loads(given.body)["token"]).status == 200
    assert_denied(pull(gateway, json.loads(given.body)["token"], "other/app"))


def test_rules_are_for_tokens_without_a_list(upstream, tmp_path):
    auth = {"anonymous": [], "jwt": [RSA.entry(tmp_path)], "rules": [
        {"who": "carol", "repositories": ["team/**"], "actions": ["pull"]},
        {"who": "anonymous", "repositories": ["public/**"], "actions": ["pull"]}]}
    with guarded(upstream, auth) as gateway:
        assert_good(gateway, RSA.token("carol"))
        assert_denied(pull(gateway, RSA.token("carol"), "other/app"))
        assert_denied(pull(gateway, RSA.token("dave")))
        assert_denied(pull(gateway, RSA.token()))
        # A list goes instead of the rules, and never below what is open to all.
        listed = RSA.token("carol", access=access_to("other/app"))
        assert_good(gateway, listed, "other/app")
        assert_denied(pull(gateway, listed))
        assert_good(gateway, listed, "public/app")


def test_an_access_list_is_of_qualified_names(gateway):
    target = manifest("team/app", query="?ns=up.test")
    for name, status, by_namespace in (("team/app", 200, 403), ("up.test/team/app", 403, 200)):
        token = RSA.token("carol", access=access_to(name))
        assert pull(gateway, token).status == status
        assert fetch(gateway.url, target, headers=bearer(token)).status == by_namespace
        assert get(gateway, target, user=("x", token)).status == by_namespace


# Bad tokens.

BAD = {
    "expired": lambda: RSA.token("carol", exp=-3600),
    "no end": lambda: RSA.token("carol", exp=None),
    "not yet valid": lambda: RSA.token("carol", nbf=3600),
    "wrong audience": lambda: RSA.token("carol", aud="other"),
    "no audience": lambda: RsaIssuer(iss=ISS, kid="a").token("carol"),
    "none of the audiences": lambda: RSA.token("carol", aud=["registry2", "REGISTRY"]),
    "wrong issuer": lambda: RSA.token("carol", iss="https://idp.test.evil"),
    "no issuer": lambda: RsaIssuer(aud=AUD, kid="a").token("carol"),
    "alg none": lambda: assembled({"alg": "none", "typ": "JWT"}, RSA.claims("carol"), lambda _: b""),
    "alg None, kid": lambda: assembled({"alg": "None", "kid": "a"}, RSA.claims("carol"),
                                       lambda _: b""),
    "alg none, signed": lambda: RSA.token("carol", header={"alg": "nOnE"}),
    "no alg": lambda: RSA.token("carol", header={"alg": None}),
    "HS256 with the public key": lambda: assembled(
        {"alg": "HS256", "typ": "JWT", "kid": "a"}, RSA.claims("carol"),
        HmacIssuer(secret=RSA.public_pem()).sign),
    "HS256 with the public key's one line": lambda: assembled(
        {"alg": "HS256", "typ": "JWT", "kid": "a"}, RSA.claims("carol"),
        HmacIssuer(secret=RSA.public_pem().strip()).sign),
    "another algorithm of the key": lambda: RsaIssuer("RS512", iss=ISS, aud=AUD,
                                                      kid="a").token("carol"),
    "said to be another algorithm": lambda: RSA.token("carol", header={"alg": "RS384"}),
    "unknown kid": lambda: RSA.token("carol", header={"kid": "b"}),
    "a kid that is a path": lambda: RSA.token("carol", header={"kid": "../../dev/null"}),
    "a kid of another type": lambda: RSA.token("carol", header={"kid": ["a"]}),
    "another key": lambda: MALLORY.token("carol"),
    "another key, in the header": lambda: MALLORY.token("carol", header={"jwk": MALLORY.jwk()}),
    "a critical extension": lambda: RSA.token("carol", header={"crit": ["exp"], "exp": 1}),
    "tampered": lambda: with_claims(RSA.token("carol", access=[]), access={"type": "all"}),
    "no signature": lambda: RSA.token("carol").rsplit(".", 1)[0] + ".",
    "two parts": lambda: RSA.token("carol").rsplit(".", 1)[0],
    "four parts": lambda: RSA.token("carol") + ".e30",
    "no JSON": lambda: assembled(RSA.header(), b"carol", RSA.sign),
    "cut JSON": lambda: assembled(RSA.header(), b'{"sub": "carol"', RSA.sign),
    "a list": lambda: assembled(RSA.header(), b'["carol"]', RSA.sign),
    "exp a string": lambda: assembled(RSA.header(), RSA.claims("carol") | {"exp": "tomorrow"},
                                      RSA.sign),
    "sub a number": lambda: assembled(RSA.header(), RSA.claims() | {"sub": 7}, RSA.sign),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_refused(gateway, make):
    assert_bad(gateway, make())


MALFORMED = {
    "a string": "all", "a number": 1, "true": True, "no type": {"repos": ["team"]},
    "unknown type": {"type": "everything"}, "no repos": {"type": "repositories"},
    "repos a string": {"type": "repositories", "repos": "team"},
    "repos of numbers": {"type": "repositories", "repos": [1]},
    "actions a string": {"type": "all", "actions": "pull"},
    "list of strings": ["team/app"], "no name": [{"type": "repository", "actions": ["pull"]}],
    "no actions": [{"type": "repository", "name": "team/app"}],
    "name a list": [{"type": "repository", "name": ["team/app"], "actions": ["pull"]}],
    "one good, one bad": access_to("team/app", "pull") + ["team/app"],
}


@pytest.mark.parametrize("access", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_list_is_not_taken_for_none(gateway, access):
    """Without rules, a token without a list pulls everything."""
    assert pull(gateway, RSA.token("carol")).status == 200
    assert_bad(gateway, assembled(RSA.header(), RSA.claims("carol") | {"access": access}, RSA.sign))


def test_a_null_list_gives_nothing(gateway):
    """Issuers written in Go say so when they grant nothing."""
    token = assembled(RSA.header(), RSA.claims("carol") | {"access": None}, RSA.sign)
    assert_refused(pull(gateway, token))
    assert logged_in(gateway, token).status in (401, 403)


def test_an_algorithm_that_only_another_key_has(upstream, tmp_path):
    """An HS256 key beside an RS256 one: neither checks what is meant for the other."""
    auth = {"anonymous": [], "jwt": [HMAC.entry(), RSA.entry(tmp_path)]}
    with guarded(upstream, auth) as gateway:
        gateway.upstream = upstream
        assert_bad(gateway, BAD["HS256 with the public key"]())
        assert_bad(gateway, RSA.token("carol", header={"alg": "HS256", "kid": None}))
        assert_good(gateway, HMAC.token("carol"))


def test_skew_forgives_clocks_and_no_more(upstream, tmp_path):
    auth = {"anonymous": [], "jwt": [RSA.entry(tmp_path, skew="300s")]}
    with guarded(upstream, auth) as gateway:
        gateway.upstream = upstream
        assert_good(gateway, RSA.token("carol", exp=-100))
        assert_good(gateway, RSA.token("carol", nbf=100))
        assert_bad(gateway, RSA.token("carol", exp=-1000))
        assert_bad(gateway, RSA.token("carol", nbf=1000))


# What the file may not say.


@pytest.mark.parametrize("entry,named", [
    ({"algorithm": "HS256", "secret": "x" * 31}, "auth.jwt[0].secret"),
    ({"algorithm": "HS512", "secret": "x" * 63}, "auth.jwt[0].secret"),
    ({"algorithm": "none", "secret": "x" * 64}, "auth.jwt[0].algorithm"),
    ({"algorithm": "RS256", "secret": "x" * 64}, "auth.jwt[0]"),
    ({"algorithm": "HS256", "key": "{good}"}, "auth.jwt[0]"),
    ({"algorithm": "RS256", "key": "/no/such/file"}, "auth.jwt[0].key"),
    ({"algorithm": "RS256", "key": "{weak}"}, "auth.jwt[0].key"),
    ({"algorithm": "ES256", "key": "{good}"}, "auth.jwt[0].key"),
    ({"secret": "x" * 64}, "auth.jwt[0]"),
], ids=["HS256 short", "HS512 short", "none", "RS256 secret", "HS256 key", "absent", "RSA 1024",
        "ES256 with RSA", "no algorithm"])
def test_keys_that_are_none(upstream, tmp_path, entry, named):
    paths = {"{good}": str(RSA.public_path(tmp_path)),
             "{weak}": str(RsaIssuer(bits=1024, kid="weak").public_path(tmp_path))}
    entry = {name: paths.get(value, value) for name, value in entry.items()}
    path = tmp_path / "fairlead.yaml"
    path.write_text(json.dumps(configuration(upstream, {"jwt": [entry]})))
    done = fairlead.run("check", "--config", path)
    assert done.returncode == 1 and named in done.stdout + done.stderr
    assert "x" * 31 not in done.stdout + done.stderr
