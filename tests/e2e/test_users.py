# SPDX-License-Identifier: Apache-2.0
"""Users of an htpasswd file: who is let in, what a file has to look like, guessing passwords."""

import json
import re
from itertools import count

import pytest
from testbed import fairlead
from testbed.checks import assert_error
from testbed.guarded import (  # noqa: F401
    ALICE,
    BOB,
    PASSWORDS,
    anonymized,
    assert_unauthorized,
    configuration,
    guarded,
    upstream,
    users,
)
from testbed.http_request import basic, fetch
from testbed.passwords import htpasswd, line
from testbed.token_client import (
    bearer,
    challenge,
    get,
    get_token,
    manifest,
    post_token,
    scope,
)
from testbed.waiting import wait_until
from testbed.wall_clock import SteadyClock

TEAM = scope("team/app")
TARGET = manifest("team/app")


def closed(path):
    return {"users": str(path), "anonymous": []}


def with_password(gateway, user, **options):
    return fetch(gateway.url, TARGET, headers={"Authorization": basic(*user)}, **options)


# Who is let in.


def test_users_pull_and_nobody_else(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        for user in (ALICE, BOB):
            assert get(gateway, TARGET, user=user).status == 200      # with a token
            assert with_password(gateway, user).status == 200         # without
        assert_unauthorized(fetch(gateway.url, TARGET), "team/app")


@pytest.mark.parametrize("user", [
    (ALICE[0], "wrong"), (ALICE[0], ""), ("nobody", ALICE[1]), (ALICE[0], BOB[1]),
    ("Alice", ALICE[1]), ("alice ", ALICE[1]), ("anonymous", ""), (ALICE[0], "x" * 300)],
    ids=lambda user: f"{user[0]!r}, {user[1][:20]!r}")
def test_who_is_not_let_in(upstream, users, user):
    with guarded(upstream, closed(users)) as gateway:
        assert_error(get_token(gateway, None, TEAM, user=user), 401, "UNAUTHORIZED")
        refused = with_password(gateway, user)
        assert_error(refused, 401, "UNAUTHORIZED")
        assert challenge(refused)["scope"] == TEAM


def test_a_wrong_password_is_not_an_anonymous_caller(upstream, users):
    """Whoever mistypes learns of it, though the image is open to all."""
    with guarded(upstream, {"users": users}) as gateway:
        assert fetch(gateway.url, TARGET).status == 200
        assert with_password(gateway, (ALICE[0], "wrong")).status == 401
        assert get_token(gateway, None, TEAM, user=(ALICE[0], "wrong")).status == 401


def test_a_user_that_is_none_is_not_told_from_a_wrong_password(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        one, other = (with_password(gateway, (name, "wrong")) for name in ("alice", "nobody"))
        assert one.status == 401
        assert anonymized(one, "alice") == anonymized(other, "nobody")
        assert one.headers["WWW-Authenticate"] == other.headers["WWW-Authenticate"]


ODD = {"colons": "a:b::c:", "spaces": "  two  words ", "unicode": "pässwörd-日本",
       "signs": "%2B+&=?#\"'\\", "one": "x", "long": "l" * 70}


@pytest.mark.parametrize("password", ODD.values(), ids=ODD.keys())
def test_passwords_of_any_shape(upstream, tmp_path, password):
    path = htpasswd(tmp_path / "htpasswd", {"odd": password})
    with guarded(upstream, closed(path)) as gateway:
        assert get_token(gateway, None, TEAM, user=("odd", password)).status == 200
        assert post_token(gateway, TEAM, grant_type="password", username="odd", password=password,
                          service=gateway.host).status == 200
        assert with_password(gateway, ("odd", password)).status == 200
        assert with_password(gateway, ("odd", password + "!")).status == 401


def test_passwords_are_in_no_log(upstream, users):
    with guarded(upstream, closed(users), log={"level": "debug"}) as gateway:
        get(gateway, TARGET, user=ALICE)
        post_token(gateway, TEAM, grant_type="password", username="bob", password=BOB[1],
                   service=gateway.host)
        with_password(gateway, BOB)
        with_password(gateway, ("alice", "wrong-but-secret"))
        gateway.wait_for_records(6)
        secrets = [ALICE[1], BOB[1], "wrong-but-secret", line(*ALICE).split(":")[1]]
        secrets += [basic(*user).split()[1] for user in (ALICE, BOB)]
        for secret in secrets:
            assert secret not in gateway.stderr()


# The file.


@pytest.mark.parametrize("version", ["$2a$", "$2b$", "$2y$"])
def test_every_kind_of_bcrypt(upstream, tmp_path, version):
    path = tmp_path / "htpasswd"
    made = line(*ALICE).replace("$2y$", version)
    path.write_text(f"# people\n\n{made}\r\n{line(*BOB)}")
    with guarded(upstream, closed(path)) as gateway:
        for user in (ALICE, BOB):
            assert with_password(gateway, user).status == 200


def check(upstream, tmp_path, auth):
    path = tmp_path / "fairlead.yaml"
    path.write_text(json.dumps(configuration(upstream, auth)))
    done = fairlead.run("check", "--config", path)
    return done.returncode, done.stdout + done.stderr


BAD_LINES = {
    "MD5": "eve:$apr1$abcdefgh$0123456789abcdefghijk/",
    "SHA-1": "eve:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "crypt": "eve:rqXexS6ZhobKA",
    "plain": "eve:plain-text-password",
    "no password": "eve:",
    "no colon": "eve",
    "no name": ":" + line(*ALICE).split(":")[1],
    "cut": line(*ALICE)[:-10],
    "cost 99": line(*ALICE).replace("$08$", "$99$"),
    "anonymous": "anonymous:" + line(*ALICE).split(":")[1],
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_lines_that_are_none(upstream, tmp_path, bad):
    path = tmp_path / "htpasswd"
    path.write_text(f"{line(*BOB)}\n{bad}\n")
    code, said = check(upstream, tmp_path, closed(path))
    assert code == 1
    assert re.search(r"auth\.users.*\b2\b", said), "the line is named"
    hashed = bad.partition(":")[2]
    assert not hashed or hashed not in said


def test_a_file_that_is_not_there(upstream, tmp_path):
    code, said = check(upstream, tmp_path, closed(tmp_path / "absent"))
    assert code == 1 and "auth.users" in said


def test_a_reload_reads_the_file_again(upstream, tmp_path):
    """Whoever is taken out is out, whatever is still remembered of a good password."""
    path = htpasswd(tmp_path / "htpasswd", PASSWORDS)
    with guarded(upstream, closed(path)) as gateway:
        for user in (ALICE, BOB):
            assert with_password(gateway, user).status == 200
        htpasswd(path, {"alice": "changed", "carol": "new here"})
        gateway.reload()
        # Each try comes from elsewhere, for those before the reload are failures.
        sources = (f"127.0.1.{number}" for number in count(1))
        wait_until(lambda: with_password(gateway, ("carol", "new here"), source=next(sources)).status
                   == 200, "carol to be known", every=0.1)
        assert with_password(gateway, ("alice", "changed")).status == 200
        for user in (ALICE, BOB):
            assert with_password(gateway, user).status == 401
            assert get_token(gateway, None, TEAM, user=user).status == 401


def test_a_reload_to_a_bad_file_changes_nothing(upstream, tmp_path):
    path = htpasswd(tmp_path / "htpasswd", PASSWORDS)
    with guarded(upstream, closed(path)) as gateway:
        path.write_text(BAD_LINES["plain"])
        seen = len(gateway.log())
        gateway.reload()
        wait_until(lambda: [each for each in gateway.log()[seen:] if each["level"] in
                            ("warn", "error")], "a complaint in the log")
        assert with_password(gateway, ALICE).status == 200
        assert "plain-text-password" not in gateway.stderr()


# Guessing.


def guesses(gateway, most, user="alice"):
    """Wrong passwords until one is not even looked at; all answers."""
    answers = []
    while len(answers) < most and (not answers or answers[-1].status != 429):
        answers.append(with_password(gateway, (user, f"guess {len(answers)}")))
    return answers


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_guessing_is_slowed_down(upstream, users, user):
    with guarded(upstream, closed(users)) as gateway:
        *wrong, refused = guesses(gateway, 10, user)
        assert [answer.status for answer in wrong] == [401] * len(wrong) and len(wrong) >= 4
        assert_error(refused, 429, "TOOMANYREQUESTS")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        told = get_token(gateway, None, TEAM, user=(user, "guess"))
        assert_error(told, 429, "TOOMANYREQUESTS")
        assert int(told.headers["Retry-After"]) >= 1
        form = {"grant_type": "password", "username": user, "password": "guess"}
        assert post_token(gateway, **form).status == 429


def test_even_the_right_password_waits_for_who_guessed(upstream, users, tmp_path):
    """Else the answer would tell which of the guesses was right."""
    clock = SteadyClock(tmp_path)
    with guarded(upstream, closed(users), env=clock.environment) as gateway:
        guesses(gateway, 10)
        refused = with_password(gateway, ALICE)
        assert refused.status == 429
        clock.advance(int(refused.headers["Retry-After"]))
        assert with_password(gateway, ALICE).status == 200


def test_the_pauses_grow_and_are_forgotten(upstream, users, tmp_path):
    clock = SteadyClock(tmp_path)
    with guarded(upstream, closed(users), env=clock.environment) as gateway:
        pauses = []
        for _ in range(12):
            pauses.append(int(guesses(gateway, 10)[-1].headers["Retry-After"]))
            clock.advance(pauses[-1])
        assert pauses[0] <= 2 and max(pauses) <= 60
        assert pauses[:6] == sorted(pauses[:6]) and pauses[5] > pauses[0]
        clock.advance(24 * 3600)
        assert [answer.status for answer in guesses(gateway, 4)] == [401] * 4


def test_others_do_not_wait_for_who_guesses(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        assert with_password(gateway, BOB).status == 200
        given = get_token(gateway, None, TEAM, user=BOB)
        guesses(gateway, 10)
        assert with_password(gateway, BOB).status == 200              # remembered
        assert fetch(gateway.url, TARGET, headers=bearer(given)).status == 200
        assert with_password(gateway, ALICE, source="127.0.0.3").status == 200
        assert_unauthorized(fetch(gateway.url, TARGET), "team/app")   # a question is no guess


def test_no_failure_is_counted_where_nothing_failed(upstream, users):
    with guarded(upstream, closed(users)) as gateway:
        for _ in range(12):
            assert with_password(gateway, ALICE).status == 200
            assert_unauthorized(fetch(gateway.url, TARGET), "team/app")
        assert with_password(gateway, BOB).status == 200
