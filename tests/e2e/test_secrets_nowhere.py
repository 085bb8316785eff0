# SPDX-License-Identifier: Apache-2.0
"""One run that uses every kind of secret, well and badly, at the most talkative level of the log;
afterwards none of them is in the log, in an answer, in the cache directory or in what commands say.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from testbed import http_request, token_client
from testbed.cache_command import run as cache_run
from testbed.fairlead import Fairlead, run
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import basic
from testbed.issuers import HmacIssuer, RsaIssuer
from testbed.passwords import htpasswd, line
from testbed.token_client import bearer, blob, get, get_token, manifest, post_token, scope, token_of
from testbed.upstream_faults import failing, patterned
from testbed.upstream_tokens import TokenService

OURS = ("alice", "0urs: alice's p&ss word")
THEIRS = ("carol", "th3irs: carol's p&ss word")
ROBOT = ("robot", "r0bot's+p/ssword=")
WRONG = "wr0ng-but-s3cret"
CAPABILITY = "7f1d6b0a-91c2-4b6e-8a43-5d0f5f6c2e11"
KEY = hashlib.sha256(b"the key that seals").hexdigest()
HMAC = HmacIssuer(secret=b"an-hmac-secret-of-some-forty-characters!")
FOREIGN = RsaIssuer(key="of nobody")
REPOSITORY = "team/app"


@dataclass
class Run:
    secrets: dict = field(default_factory=dict)     # what it is -> the secret
    answers: list = field(default_factory=list)
    tokens: list = field(default_factory=list)      # those the gateway gave


def spellings(secret):
    """How a secret may have been written down."""
    raw = secret.encode()
    encoded = base64.b64encode(raw).rstrip(b"=")
    yield from {raw, encoded, base64.urlsafe_b64encode(raw).rstrip(b"="), quote(secret).encode(),
                quote_plus(secret).encode(), quote(secret, safe="").encode()}


def found_in(data, secrets):
    return [what for what, secret in secrets.items()
            if any(spelling in data for spelling in spellings(secret))]


@pytest.fixture(scope="module")
def upstreams_with_logins():
    """corp, to which the gateway itself has a password; two to which it relays those of callers."""
    with FaultyUpstream() as corp, FaultyUpstream() as relayed, FaultyUpstream() as old:
        corp.tokens = TokenService(users=dict([ROBOT]))
        relayed.tokens = TokenService(users=dict([THEIRS]))
        old.tokens = TokenService(users=dict([THEIRS]), challenge='Basic realm="old"')
        for number, server in enumerate((corp, relayed, old)):
            server.layer = patterned(30_000, seed=number)
            server.add_image(REPOSITORY, "1", [server.layer])
        yield SimpleNamespace(corp=corp, relayed=relayed, old=old)


def configuration(upstreams, users):
    relay = {"credentials": "relay"}
    return {
        "registries": {
            "corp": {"url": upstreams.corp.url, "username": ROBOT[0],
                     "password": "env:CORP_PASSWORD"},
            "relayed": {"url": upstreams.relayed.url} | relay,
            "old": {"url": upstreams.old.url} | relay},
        "routes": [{"match": f"{name}/", "to": f"{name}/"} for name in ("corp", "relayed", "old")]
        + [{"match": f"{CAPABILITY}/app", "to": f"corp/{REPOSITORY}", "capability": True}],
        "auth": {"users": str(users), "anonymous": [], "keys": ["env:TOKEN_KEY"],
                 "jwt": [{"algorithm": "HS256", "secret": "env:JWT_SECRET"}]},
        "log": {"level": "debug"}}


def pull_as(gateway, name, user):
    get(gateway, manifest(name), user=user)
    return get(gateway, f"/v2/{name}/tags/list", user=user)


def use_all(gateway, upstreams, done):
    """Everybody pulls, and some mistype."""
    jwt = HMAC.token("dave")
    done.secrets |= {"a JWT": jwt, "its signature": jwt.split(".")[2]}
    everybody = [OURS, THEIRS, ("dave", jwt), ("<token>", jwt)]
    for name in ("corp", "relayed", "old"):
        for user in everybody:
            pull_as(gateway, f"{name}/{REPOSITORY}", user)
            digest = next(digest for (_, digest), data in getattr(upstreams, name).blobs.items()
                          if data == getattr(upstreams, name).layer)
            get(gateway, blob(f"{name}/{REPOSITORY}", digest), user=user)
    asked = [scope(f"{name}/{REPOSITORY}", "pull,push") for name in ("corp", "relayed", "old")]
    for user in everybody:
        given = get_token(gateway, {"service": gateway.host}, *asked, user=user,
                          more=[("offline_token", "true"), ("account", user[0])])
        done.tokens += [token_of(given)] if given.status == 200 else []
        post_token(gateway, *asked, grant_type="password", username=user[0], password=user[1],
                   service=gateway.host, access_type="offline")
        ask = {"Authorization": basic(*user)}
        done.answers.append(http_request.fetch(gateway.url, "/v2/", headers=ask))
    for token in (jwt, *done.tokens):
        for target in ("/v2/", manifest(f"corp/{REPOSITORY}"), manifest("not/routed")):
            done.answers.append(http_request.fetch(gateway.url, target, headers=bearer(token)))
    done.answers.append(http_request.fetch(gateway.url, manifest(f"{CAPABILITY}/app")))
    done.answers.append(http_request.fetch(gateway.url, manifest(f"{CAPABILITY}/app", "absent")))


def misuse_all(gateway, done):
    """In the wrong place, in the wrong form, and to an upstream in trouble; each from another
    address, for who fails too often is no longer listened to."""
    expired, forged = HMAC.token("dave", exp=-3600), FOREIGN.token("dave")
    done.secrets |= {"an expired JWT": expired, "a forged JWT": forged}
    bad = [(OURS[0], WRONG), ("somebody", OURS[1]), ("dave", expired), ("<token>", forged)]
    for number, user in enumerate(bad):
        source = f"127.0.3.{number + 1}"
        for name in ("corp", "relayed", "old"):
            get(gateway, manifest(f"{name}/{REPOSITORY}"), user=user, source=source)
        for header in (basic(*user), f"Bearer {user[1]}", f"Basic {user[1]}", user[1],
                       f"Bearer {user[1]} {user[1]}"):
            for target in ("/v2/", "/token", manifest(f"corp/{REPOSITORY}")):
                done.answers.append(http_request.fetch(
                    gateway.url, target, headers={"Authorization": header}, source=source))
    misplaced = f"password={quote_plus(OURS[1])}&access_token={done.tokens[0]}&token={done.tokens[0]}"
    for method, target, body in (("GET", f"/token?{misplaced}", None),
                                 ("POST", "/token", misplaced.encode()),
                                 ("POST", f"/token?{misplaced}", b"grant_type=%zz"),
                                 ("PUT", f"/token?{misplaced}", b"")):
        done.answers.append(http_request.fetch(
            gateway.url, target, method=method, body=body, source="127.0.3.9",
            headers={"Content-Type": "application/x-www-form-urlencoded"}))


def trouble(gateway, upstreams):
    for fault in (failing(500), failing(200), failing(401)):
        for server, user in ((upstreams.relayed, THEIRS), (upstreams.old, THEIRS)):
            server.fault("*", ".", fault)
            get(gateway, manifest(f"relayed/{REPOSITORY}", "2"), user=user, source="127.0.3.10")
            get(gateway, manifest(f"old/{REPOSITORY}", "2"), user=user, source="127.0.3.10")
            server.heal()
    upstreams.relayed.stop()
    get(gateway, manifest(f"relayed/{REPOSITORY}", "3"), user=THEIRS, source="127.0.3.11")
    upstreams.relayed.start()


def test_no_secret_is_anywhere(upstreams_with_logins, tmp_path, monkeypatch):
    upstreams, done = upstreams_with_logins, Run()

    def recording(*arguments, **options):
        done.answers.append(http_request.fetch(*arguments, **options))
        return done.answers[-1]

    monkeypatch.setattr(token_client, "fetch", recording)
    users = htpasswd(tmp_path / "htpasswd", dict([OURS]))
    env = {"CORP_PASSWORD": ROBOT[1], "TOKEN_KEY": KEY, "JWT_SECRET": HMAC.secret.decode()}
    config = configuration(upstreams, users)
    with Fairlead(config, env=env) as gateway:
        use_all(gateway, upstreams, done)
        misuse_all(gateway, done)
        trouble(gateway, upstreams)
        gateway.wait_until_idle()
        gateway.reload()
        gateway.wait_for_records(len(done.answers))

        statuses = {answer.status for answer in done.answers}
        assert {200, 401} <= statuses, "nobody was let in, or nobody refused: this tests nothing"
        assert len(done.tokens) >= 3
        given = [token for server in vars(upstreams).values() for token in server.tokens.issued]
        assert len(given) >= 3 and upstreams.old.seen("*", "/manifests/")

        pairs = {"our user's pair": OURS, "the upstream user's pair": THEIRS, "the robot's": ROBOT}
        done.secrets |= {what: f"{user}:{password}" for what, (user, password) in pairs.items()}
        done.secrets |= {"our user's password": OURS[1], "the upstream user's": THEIRS[1],
                         "the robot's password": ROBOT[1], "what was mistyped": WRONG,
                         "the key": KEY, "the HMAC secret": HMAC.secret.decode(),
                         "the hash of a password": line(*OURS).split(":")[1],
                         "a capability": CAPABILITY}
        done.secrets |= {f"token {number} of an upstream": token
                         for number, token in enumerate(given)}
        sealed = {f"sealed token {number}": token for number, token in enumerate(done.tokens)}

        log = gateway.stderr().encode()
        assert found_in(log, done.secrets | sealed) == []
        assert b"v4.local." not in log and b"eyJ" not in log

        for answer in done.answers:
            told = str(answer.headers).encode() + answer.body
            assert found_in(told, done.secrets) == [], (answer.status, told[:300])

        for path in gateway.cache_directory.rglob("*"):
            assert found_in(str(path).encode(), done.secrets | sealed) == []
            if path.is_file():
                assert found_in(path.read_bytes(), done.secrets | sealed) == [], path

        check = run("check", "--config", gateway.config_path, env=env)
        said = [check] + [cache_run(gateway, *arguments, env=env) for arguments in
                          (["list"], ["list", "--json"], ["stats"], ["verify"])]
        for each in said:
            assert found_in((each.stdout + each.stderr).encode(), done.secrets | sealed) == []
        configured = gateway.config_path.read_bytes()
        gateway.terminate()
        assert gateway.wait() == 0
        assert found_in(gateway.stderr().encode(), done.secrets | sealed) == []
    assert CAPABILITY.encode() in configured    # the one secret that has to be in the file itself
