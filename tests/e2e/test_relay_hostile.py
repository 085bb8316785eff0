# SPDX-License-Identifier: Apache-2.0
"""Upstreams that try to get hold of what callers hand the gateway for somebody else.

A caller's password goes to the token service of the registry that it is for, and so does what
comes back; whatever an upstream says, nobody else sees either.
"""

from dataclasses import replace

import pytest
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import basic, fetch
from testbed.passwords import htpasswd
from testbed.pulling import FOREIGN
from testbed.relaying import relaying
from testbed.token_client import bearer, blob, get, get_token, manifest, post_token, scope
from testbed.upstream_faults import Answer, failing, patterned, redirected
from testbed.upstream_tokens import TokenService

USER = ("alice", "al1ce's: upstream pass")
LAYER = patterned(50_000, seed=3)
TEAM = scope("team/app")


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.tokens = TokenService(users=dict([USER]))
        server.add_image("team/app", "1", [LAYER])
        yield server


@pytest.fixture
def collector():
    """Some other party's machine, which takes whatever it is given."""
    with FaultyUpstream(FOREIGN) as server:
        server.tokens = TokenService()
        server.add_image("team/app", "1", [LAYER])
        yield server


def shown_to(collector):
    """The requests that gave something away."""
    secrets = [*USER, basic(*USER).split()[1], "upstream-token", "v4.local"]
    return [request for request in collector.requests
            if request.header("Authorization") or any(each in repr(request) for each in secrets)]


def try_everything(gateway):
    """Every way in which a caller hands over a password; the last answer."""
    get_token(gateway, None, TEAM, user=USER)
    get_token(gateway, {"service": gateway.host}, user=USER, more=[("offline_token", "true")])
    post_token(gateway, TEAM, grant_type="password", username=USER[0], password=USER[1],
               service=gateway.host)
    post_token(gateway, TEAM, grant_type="refresh_token", refresh_token=USER[1],
               service=gateway.host)
    return get(gateway, manifest("team/app"), user=USER)


def test_the_honest_one_is_pulled_from(upstream):
    """Else nothing here would mean anything."""
    with relaying(upstream) as gateway:
        assert get(gateway, manifest("team/app"), user=USER).status == 200
        assert shown_to(upstream)


# Realms.


@pytest.mark.parametrize("realm", [
    "http://{collector}/token", "//{collector}/token", "http://{upstream}@{collector}/token",
    "http://{collector}\\@{upstream}/token", "http://{collector}#@{upstream}/token",
    "http://{upstream}%40{collector}/token", "HTTP://{collector}/token?u={upstream}",
    "http://{collector}:/token", "https://{collector}/token"])
def test_a_realm_elsewhere_gets_nothing(upstream, collector, realm):
    upstream.tokens.realm = realm.format(collector=collector.host, upstream=upstream.host)
    with relaying(upstream) as gateway:
        assert try_everything(gateway).status >= 400
    assert shown_to(collector) == []


@pytest.mark.parametrize("realm", [
    "http://2130706434:{port}/token", "http://0x7f000002:{port}/token", "http://127.2:{port}/token",
    "http://[::ffff:127.0.0.2]:{port}/token", "file:///etc/passwd", "gopher://127.0.0.2:{port}/",
    "http://", "javascript:alert(1)"])
def test_realms_in_disguise(upstream, collector, realm):
    """127.0.0.2 in other spellings, and what is no place to ask for a token."""
    upstream.tokens.realm = realm.format(port=collector.port)
    with relaying(upstream) as gateway:
        answer = try_everything(gateway)
        assert answer.status >= 400
        assert b"root:" not in answer.body
        assert fetch(gateway.url, "/health").status == 200
    assert shown_to(collector) == []


def test_a_realm_that_is_configured_gets_it(upstream, collector):
    collector.tokens = TokenService(users=dict([USER]))
    upstream.tokens.realm = f"{collector.url}/token"
    upstream.tokens.issued = collector.tokens.issued
    with relaying(upstream, token_hosts=[FOREIGN]) as gateway:
        assert get(gateway, manifest("team/app"), user=USER).status == 200
        assert shown_to(collector)


# Redirects.


@pytest.mark.parametrize("path", ["^/token", "^/v2/$", "/manifests/", "/blobs/"])
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_a_redirect_elsewhere_takes_nothing_along(upstream, collector, scheme, status, path):
    if scheme == "basic":
        upstream.tokens.challenge = 'Basic realm="it"'
    digest = next(digest for (_, digest), data in upstream.blobs.items() if data == LAYER)
    with relaying(upstream) as gateway:
        before = get_token(gateway, None, TEAM, user=USER)
        upstream.fault("*", path, redirected(
            status, lambda request: f"{collector.url}{request.path}"))
        try_everything(gateway)
        for target in (manifest("team/app"), blob("team/app", digest)):
            fetch(gateway.url, target, headers=bearer(before))
        assert shown_to(upstream)
    assert shown_to(collector) == []


# A token of one registry is no token for another.


def test_what_one_registry_gave_is_not_shown_to_another(upstream, collector):
    collector.tokens = TokenService(users={"other": "other"})
    with relaying(upstream, collector) as gateway:
        given = get_token(gateway, None, TEAM, user=USER)
        assert fetch(gateway.url, manifest("team/app"), headers=bearer(given)).status == 200
        refused = fetch(gateway.url, manifest("up2/team/app"), headers=bearer(given))
        assert refused.status in (401, 403)
    assert shown_to(collector) == []


def test_a_password_for_one_registry_is_not_shown_to_another(upstream, collector):
    """Nor with a login without scope, which does not say for which of them it is."""
    with relaying(upstream, collector) as gateway:
        try_everything(gateway)
    assert shown_to(collector) == []


def test_what_one_caller_was_given_is_not_used_for_another(upstream):
    with relaying(upstream, server={"workers": 1}) as gateway:
        assert get(gateway, manifest("team/app"), user=USER).status == 200
        seen = len(upstream.requests)
        refused = get(gateway, manifest("team/app"), user=("alice", "wrong"))
        assert refused.status in (401, 403)
        for request in upstream.requests[seen:]:
            assert USER[1] not in repr(request)
            assert request.header("Authorization") != basic(*USER)


# Token services that are none.


def given_as(body):
    return lambda answer, _: replace(answer, body=body)


@pytest.mark.parametrize("fault", [
    failing(500), failing(200), failing(429, headers={"Retry-After": "3600"}),
    given_as(b'{"token": "a\\r\\nX-Injected: 1"}'), given_as(b'{"token": 7}'),
    given_as(b'{"token": ""}'), given_as(b"{"), given_as(b'{"token": "' + b"t" * 70_000 + b'"}'),
    given_as(b'{"token": "v4.local.AAAA"}')],
    ids=["500", "HTML", "429", "line break", "number", "empty", "cut", "long", "like ours"])
def test_answers_that_are_none(upstream, fault):
    upstream.fault("*", "^/token", fault)
    with relaying(upstream) as gateway:
        answer = try_everything(gateway)
        assert answer.status >= 400
        assert b"own words" not in answer.body
        assert answer.headers["X-Injected"] is None
        assert not [each for each in upstream.requests if each.header("X-Injected")]
        upstream.heal()
        assert get(gateway, manifest("team/app"), user=USER, source="127.0.0.9").status == 200


# Passwords that are for nobody but us, and mistakes.


def test_the_password_of_our_own_user_is_shown_to_no_upstream(upstream, tmp_path):
    path = htpasswd(tmp_path / "htpasswd", {USER[0]: "0urs-and-nobody-elses"})
    ours = (USER[0], "0urs-and-nobody-elses")
    with relaying(upstream, auth={"users": str(path)}) as gateway:
        for scopes in ((TEAM,), (TEAM, scope("up2/no/such")), ()):
            assert get_token(gateway, None, *scopes, user=ours).status == 200
        assert not [each for each in upstream.requests
                    if ours[1] in repr(each) or basic(*ours).split()[1] in repr(each)]
        # The name is ours alone, whatever the upstream makes of it.
        assert get(gateway, manifest("team/app"), user=USER).status == 401
        assert not [each for each in upstream.requests
                    if basic(*USER).split()[1] in repr(each)]


def test_one_mistake_is_one_failure_however_much_was_asked_for(upstream):
    asked = [scope(f"team/{number}") for number in range(8)]
    with relaying(upstream) as gateway:
        assert get_token(gateway, None, *asked, user=(USER[0], "mistyped")).status == 401
        assert get(gateway, manifest("team/app"), user=USER).status == 200


def test_what_is_asked_for_many_times_is_one_login(upstream):
    with relaying(upstream) as gateway:
        given = get_token(gateway, None, *[TEAM] * 50, user=USER)
        assert len([each for each in upstream.requests if each.path.startswith("/token")]) == 1
        assert fetch(gateway.url, manifest("team/app"), headers=bearer(given)).status == 200


def test_a_token_service_that_quotes_the_password(upstream):
    upstream.fault("*", "^/token", lambda answer, request: Answer(
        401, {"Content-Type": "application/json"},
        b'{"errors":[{"code":"UNAUTHORIZED","message":"not %s"}]}' % USER[1].encode()))
    with relaying(upstream) as gateway:
        assert get_token(gateway, None, TEAM, user=USER).status == 401
        assert USER[1] not in gateway.stderr()
