# SPDX-License-Identifier: Apache-2.0
"""Callers who log in at the upstream through the gateway: each sees what the upstream lets him see,
also of what the gateway has in its cache for others."""

import base64
import re

from testbed.checks import assert_error
from testbed.guarded import NOT_ALLOWED
from testbed.http_request import basic, fetch
from testbed.issuers import HmacIssuer
from testbed.passwords import htpasswd
from testbed.relaying import (  # noqa: F401
    ALICE,
    BOB,
    _private,
    basic_only,
    private,
    private_storage,
    relaying,
)
from testbed.token_client import (
    bearer,
    blob,
    challenge,
    get,
    get_token,
    manifest,
    post_token,
    scope,
    token_of,
)
from testbed.wall_clock import SteadyClock

TEAM, OTHER, PUBLIC = (scope(f"{name}/app") for name in ("team", "other", "public"))


def parts(image):
    """What a pull asks for: the tag, the digest, the blobs."""
    return [("manifests", "1"), ("manifests", image.digest),
            *(("blobs", each.digest) for each in image.blobs)]


def pull(gateway, repository, image, user=None):
    """The answers to a whole pull."""
    return [get(gateway, f"/v2/{repository}/{kind}/{reference}", user=user)
            for kind, reference in parts(image)]


def assert_pulled(answers, image):
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert [answer.digest for answer in answers[1:]] == [
        image.digest, *(each.digest for each in image.blobs)]


def assert_kept_out(answers):
    for answer in answers:
        assert answer.status in {*NOT_ALLOWED, 404}, (answer.status, answer.body[:200])
        assert_error(answer, answer.status, "UNAUTHORIZED", "DENIED", "NAME_UNKNOWN",
                     "MANIFEST_UNKNOWN", "BLOB_UNKNOWN")


# Who sees what.


def test_each_sees_what_is_his(private):
    with relaying(private) as gateway:
        for user, mine, others in ((ALICE, "team/app", "other/app"), (BOB, "other/app", "team/app")):
            assert_pulled(pull(gateway, mine, private.images[mine], user), private.images[mine])
            assert_kept_out(pull(gateway, others, private.images[others], user))
        assert {request.user for request in private.tokens.requests} <= {"alice", "bob", ""}


def test_what_is_cached_for_one_is_not_there_for_another(private):
    image = private.images["team/app"]
    with relaying(private) as gateway:
        assert_pulled(pull(gateway, "team/app", image, ALICE), image)
        gateway.wait_until_idle()
        for user in (BOB, None):
            assert_kept_out(pull(gateway, "team/app", image, user))
            assert_kept_out(pull(gateway, "other/app", image, user)[1:])    # nor by another name
        assert_error(get_token(gateway, None, TEAM, user=("alice", "wrong")), 401, "UNAUTHORIZED")

        private.registry.forget()
        assert_pulled(pull(gateway, "team/app", image, ALICE), image)
        assert private.registry.requests("GET", "/blobs/", 200) == [], "not from the cache"


def test_what_is_cached_for_the_anonymous_is_there_for_all(private):
    image = private.images["public/app"]
    with relaying(private) as gateway:
        assert_pulled(pull(gateway, "public/app", image), image)
        gateway.wait_until_idle()
        private.registry.forget()
        given = token_of(get_token(gateway, None, PUBLIC))
        for kind, reference in parts(image):
            answer = fetch(gateway.url, f"/v2/public/app/{kind}/{reference}", headers=bearer(given))
            assert answer.status == 200
        assert private.registry.requests("GET", "/blobs/", 200) == []


def test_the_right_is_asked_for_once_in_a_while(private, tmp_path):
    """And not with each request; after its time it is asked again, and a lost one is lost."""
    image, clock = private.images["team/app"], SteadyClock(tmp_path)
    with relaying(private, env=clock.environment, server={"workers": 1}) as gateway:
        assert_pulled(pull(gateway, "team/app", image, ALICE), image)
        gateway.wait_until_idle()
        headers = bearer(get_token(gateway, None, TEAM, user=ALICE))
        target = blob("team/app", image.blobs[0].digest)
        assert fetch(gateway.url, target, headers=headers).status == 200
        private.registry.forget()
        for _ in range(10):
            assert fetch(gateway.url, target, headers=headers).status == 200
        assert private.registry.requests() == []
        clock.advance(61)
        assert fetch(gateway.url, target, headers=headers).status == 200
        asked = private.registry.requests(status=200)
        assert asked and {request.method for request in asked} == {"HEAD"}


def test_an_image_of_the_upstream_that_is_gone_is_kept_for_who_had_it(private):
    """Stale content is for those who may see it; who may, nobody can be asked."""
    image = private.images["team/app"]
    with relaying(private) as gateway:
        alice = bearer(get_token(gateway, None, TEAM, user=ALICE))
        bob = bearer(get_token(gateway, None, TEAM, OTHER, user=BOB))
        for kind, reference in parts(image):
            assert fetch(gateway.url, f"/v2/team/app/{kind}/{reference}", headers=alice).status == 200
        gateway.wait_until_idle()
        private.registry.stop()
        try:
            for kind, reference in parts(image)[1:3]:
                target = f"/v2/team/app/{kind}/{reference}"
                assert fetch(gateway.url, target, headers=bob).status in (401, 403, 404, 502, 504)
                assert fetch(gateway.url, target).status in (401, 403, 404, 502, 504)
        finally:
            private.registry.start()


# How they log in.


def test_a_login_is_the_upstreams(private):
    """With one registry that relays, it is asked; nothing is taken on trust."""
    with relaying(private) as gateway:
        told = challenge(fetch(gateway.url, "/v2/"))
        assert "scope" not in told
        for user, status in ((ALICE, 200), (BOB, 200), (("alice", "wrong"), 401),
                             (("nobody", "x"), 401)):
            assert get_token(gateway, told, user=user, more=[("account", user[0])]).status == status
            form = {"grant_type": "password", "username": user[0], "password": user[1]}
            assert post_token(gateway, service=gateway.host, **form).status == status


def test_with_several_registries_a_login_is_taken_on_trust(private, basic_only):
    with relaying(private, basic_only) as gateway:
        for user in (ALICE, ("alice", "wrong")):
            given = get_token(gateway, {"service": gateway.host}, user=user)
            assert fetch(gateway.url, "/v2/", headers=bearer(given)).status == 200
            for repository in ("team/app", "up2/team/app"):
                refused = fetch(gateway.url, manifest(repository), headers=bearer(given))
                assert refused.status == 401
                assert challenge(refused)["scope"] == scope(repository)
        for repository in ("team/app", "up2/team/app"):
            assert get(gateway, manifest(repository), user=ALICE).status == 200
            assert get(gateway, manifest(repository), user=("alice", "wrong")).status in (401, 403)


def test_a_password_alone_is_not_sent_along(private):
    """Basic on a relay route gets a challenge, so that the password goes to the token service."""
    with relaying(private) as gateway:
        refused = fetch(gateway.url, manifest("team/app"), headers={"Authorization": basic(*ALICE)})
        assert refused.status == 401 and challenge(refused)["scope"] == TEAM


def test_an_identity_token_is_relayed_as_one(private):
    with relaying(private) as gateway:
        identity = private.tokens.identity_token("alice")
        given = post_token(gateway, TEAM, grant_type="refresh_token", refresh_token=identity,
                           service=gateway.host)
        answer = fetch(gateway.url, manifest("team/app"), headers=bearer(given))
        assert answer.status == 200
        bad = post_token(gateway, TEAM, grant_type="refresh_token", refresh_token="identity-none",
                         service=gateway.host)
        assert bad.status == 401


def test_a_registry_with_passwords_only(basic_only):
    image = basic_only.images["team/app"]
    with relaying(basic_only) as gateway:
        assert_pulled(pull(gateway, "team/app", image, ALICE), image)
        gateway.wait_until_idle()
        assert_kept_out(pull(gateway, "team/app", image))
        assert_kept_out(pull(gateway, "team/app", image, ("alice", "wrong")))
        basic_only.registry.forget()
        assert_pulled(pull(gateway, "team/app", image, ALICE), image)
        assert basic_only.registry.requests("GET", "/blobs/", 200) == []


def test_several_repositories_in_one_token(private):
    with relaying(private) as gateway:
        given = get_token(gateway, None, OTHER, TEAM, scope("team/none"), user=ALICE)
        statuses = [fetch(gateway.url, manifest(name), headers=bearer(given)).status
                    for name in ("team/app", "team/none", "other/app", "public/app")]
        assert statuses[:2] == [200, 404]
        assert statuses[2] in (401, 403, 404)
        assert statuses[3] in (200, 401), "not asked for, and open to all"


def test_our_own_users_are_anonymous_at_the_upstream(private, tmp_path):
    """Alice here is not alice there, even where the names are the same."""
    path, issuer = htpasswd(tmp_path / "htpasswd", {"alice": "ours"}), HmacIssuer()
    auth = {"users": str(path), "jwt": [issuer.entry()]}
    with relaying(private, auth=auth) as gateway:
        for user in (("alice", "ours"), ("alice", issuer.token("alice", access={"type": "all"}))):
            image = private.images["public/app"]
            assert_pulled(pull(gateway, "public/app", image, user), image)
            assert_kept_out(pull(gateway, "team/app", private.images["team/app"], user))
        assert {request.user for request in private.tokens.requests} == {""}
        # Whom we do not know may still be somebody there.
        assert_pulled(pull(gateway, "other/app", private.images["other/app"], BOB),
                      private.images["other/app"])


# What nobody may find.


def test_nothing_of_the_upstreams_is_in_any_answer(private):
    said = []
    with relaying(private, log={"level": "debug"}) as gateway:
        for user in (ALICE, BOB, None, ("alice", "wrong-but-secret")):
            said.append(get_token(gateway, None, TEAM, OTHER, PUBLIC, user=user,
                                  more=[("offline_token", "true")]))
            for repository in ("team/app", "other/app", "public/app"):
                said += pull(gateway, repository, private.images[repository], user)
        told = b"\n".join(str(answer.headers).encode() + answer.body for answer in said)
        for place in (private.registry.host, private.tokens.realm, private.tokens.service):
            assert place.encode() not in told, "where the upstream is"
        told += gateway.stderr().encode()
    # What is sealed is not to be read either.
    told += b"".join(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
                     for part in re.findall(rb"v4\.local\.([\w-]+)", told) if len(part) % 4 != 1)
    assert private.tokens.issued
    secrets = [*private.tokens.issued, *private.tokens.identity_tokens, ALICE[1], BOB[1],
               "wrong-but-secret"]
    secrets += [basic(*user).split()[1] for user in (ALICE, BOB)]
    for secret in secrets:
        assert secret.encode() not in told, secret
    assert not re.search(rb"eyJ[\w-]+\.eyJ", told), "a JWT"


def test_a_gateway_that_wants_a_caller_wants_one_here_too(private):
    with relaying(private, auth={"anonymous": []}) as gateway:
        assert_kept_out(pull(gateway, "public/app", private.images["public/app"]))
