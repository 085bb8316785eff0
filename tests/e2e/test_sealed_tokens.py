# SPDX-License-Identifier: Apache-2.0
"""The gateway's own tokens: nobody reads, makes, changes or keeps them beyond their time."""

import base64
import json
import re
import stat

import pytest
from testbed import fairlead
from testbed.guarded import (  # noqa: F401
    ALICE,
    assert_unauthorized,
    configuration,
    guarded,
    upstream,
    users,
)
from testbed.http_request import fetch
from testbed.token_client import bearer, get_token, manifest, scope, token_of
from testbed.wall_clock import WallClock

TEAM = scope("team/app")
KEYS = ["00112233445566778899aabbccddeeff" * 2, "ffeeddccbbaa99887766554433221100" * 2]


def closed(users, **more):
    return {"users": users, "anonymous": []} | more


def pull(gateway, token, repository="team/app"):
    return fetch(gateway.url, manifest(repository), headers=bearer(token))


def assert_invalid(answer):
    assert_unauthorized(answer, "team/app", "invalid_token")


def alices(gateway):
    return token_of(get_token(gateway, None, TEAM, user=ALICE))


def bytes_of(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_is_sealed(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        token = alices(gateway)
        version, purpose, payload, footer = token.split(".")
        assert (version, purpose) == ("v4", "local")
        assert re.fullmatch(r"k4\.lid\.[A-Za-z0-9_-]{44}", json.loads(bytes_of(footer))["kid"])
        for word in (b"alice", b"team", ALICE[1].encode()):
            assert word not in bytes_of(payload) and word not in bytes_of(footer)
        assert alices(gateway) != token


def test_every_change_is_noticed(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        token = alices(gateway)
        version, purpose, payload, footer = token.split(".")
        middle = len(payload) // 2
        other = "A" if payload[middle] != "A" else "B"
        for changed in (
                f"v4.local.{payload[:middle]}{other}{payload[middle + 1:]}.{footer}",
                f"v4.local.{payload[4:]}.{footer}", f"v4.local..{footer}", f"v4.local.{payload}",
                f"v4.local.{payload}.", f"v4.local.{payload}.{footer}x", token[:-4], f"{token}=",
                f"v4.public.{payload}.{footer}", f"v3.local.{payload}.{footer}", token.swapcase()):
            assert_invalid(pull(gateway, changed))
        assert pull(gateway, token).status == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "Bearer " + "x" * 20_000,
                                    "Bearer v4.local.", "Bearer ....", "Bearer null"],
                         ids=["nothing", "space", "two", "long", "empty", "dots", "null"])
def test_what_is_no_token(upstream, users, header):
    with guarded(upstream, closed(users)) as gateway:
        answer = fetch(gateway.url, manifest("team/app"), headers={"Authorization": header})
        assert answer.status in (400, 401)
        assert fetch(gateway.url, "/health").status == 200


def test_tokens_of_another_gateway(upstream, users):
    with guarded(upstream, closed(users)) as one, guarded(upstream, closed(users)) as other:
        token = alices(one)
        assert_invalid(pull(other, token))
        assert pull(one, token).status == 200


def test_gateways_with_the_same_key_take_each_others_tokens(upstream, users, tmp_path):
    path = tmp_path / "token.key"
    path.write_text(KEYS[0] + "\n")
    path.chmod(0o600)
    with (guarded(upstream, closed(users, keys=[f"file:{path}"])) as one,
          guarded(upstream, closed(users, keys=["env:TOKEN_KEY"]),
                  env={"TOKEN_KEY": KEYS[0]}) as other):
        assert pull(other, alices(one)).status == 200


def test_the_first_key_seals_and_all_open(upstream, users):
    with (guarded(upstream, closed(users, keys=KEYS[:1])) as old,
          guarded(upstream, closed(users, keys=[KEYS[1], KEYS[0]])) as both,
          guarded(upstream, closed(users, keys=KEYS[1:])) as new):
        before, after = alices(old), alices(both)
        assert pull(both, before).status == 200
        assert pull(new, after).status == 200
        assert_invalid(pull(new, before))
        assert_invalid(pull(old, after))


def test_the_key_is_made_once_and_kept(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        token = alices(gateway)
        key = gateway.cache_directory / "token.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        text = key.read_text()
        assert re.fullmatch(r"[0-9a-f]{64}\n?", text)
        gateway.restart()
        assert pull(gateway, token).status == 200
        assert key.read_text() == text


@pytest.mark.parametrize("key", ["00" * 31, "00" * 33, "zz" * 32, "", "file:/no/such/file"])
def test_keys_that_are_none(upstream, users, tmp_path, key):
    path = tmp_path / "fairlead.yaml"
    config = configuration(upstream, closed(users, keys=[key]))
    path.write_text(json.dumps(config))
    done = fairlead.run("check", "--config", path)
    assert done.returncode == 1 and "auth.keys" in done.stdout + done.stderr
    if len(key) > 30:
        assert key not in done.stdout + done.stderr


def test_a_token_ends(upstream, users, tmp_path):
    """The token service says after how long; a day later nobody has to be asked."""
    clock = WallClock(tmp_path)
    auth = closed(users, token_ttl="60s")
    with guarded(upstream, auth, env=clock.environment) as gateway:
        answer = get_token(gateway, None, TEAM, user=ALICE)
        assert json.loads(answer.body)["expires_in"] == 60
        token = token_of(answer)
        assert pull(gateway, token).status == 200
        clock.set(1)
        assert_invalid(pull(gateway, token))
        assert pull(gateway, alices(gateway)).status == 200


@pytest.mark.parametrize("ttl", ["59s", "25h", "0s"])
def test_times_to_live_that_are_none(upstream, users, tmp_path, ttl):
    path = tmp_path / "fairlead.yaml"
    path.write_text(json.dumps(configuration(upstream, closed(users, token_ttl=ttl))))
    done = fairlead.run("check", "--config", path)
    assert done.returncode == 1 and "auth.token_ttl" in done.stdout + done.stderr
