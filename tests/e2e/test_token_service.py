# SPDX-License-Identifier: Apache-2.0
"""The token service as clients find it: the challenge, GET and POST /token, what a token opens.

Who may what is in test_rules.py, tokens of outside issuers in test_jwt.py.
"""

import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from testbed.checks import assert_error
from testbed.guarded import (  # noqa: F401
    ALICE,
    asked,
    assert_denied,
    assert_refused,
    assert_unauthorized,
    guarded,
    upstream,
    users,
)
from testbed.http_request import basic, fetch
from testbed.raw_http import Wire
from testbed.token_client import (
    bearer,
    blob,
    challenge,
    get,
    get_token,
    manifest,
    post_token,
    scope,
)

TEAM, PUBLIC, OTHER = (scope(name) for name in ("team/app", "public/app", "other/app"))


def pull(gateway, repository, given=None, query=""):
    return fetch(gateway.url, manifest(repository, query=query),
                 headers=bearer(given) if given else {})


# The challenge.


def test_the_ping_asks_who_is_there(asked):
    for method in ("GET", "HEAD"):
        answer = fetch(asked.url, "/v2/", method=method)
        assert answer.status == 401
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert "scope" not in challenge(answer)
    told = assert_unauthorized(fetch(asked.url, "/v2/"))
    assert told == {"realm": f"http://{asked.host}/token", "service": asked.host}


def test_the_ping_knows_who_is_there(asked):
    assert fetch(asked.url, "/v2/", headers={"Authorization": basic(*ALICE)}).status == 200
    assert fetch(asked.url, "/v2/", headers=bearer(get_token(asked, user=ALICE))).status == 200
    assert fetch(asked.url, "/v2/", headers=bearer(get_token(asked))).status == 200
    assert_unauthorized(fetch(asked.url, "/v2/", headers=bearer("no-token-of-ours")),
                        error="invalid_token")


def test_a_gateway_that_nobody_logs_in_to_does_not_ask(upstream):
    with guarded(upstream) as gateway:
        assert fetch(gateway.url, "/v2/").status == 200
        assert pull(gateway, "team/app").status == 200


@pytest.mark.parametrize("auth", [
    {"anonymous": []},
    {"jwt": [{"algorithm": "HS256", "secret": "0123456789abcdef0123456789abcdef"}]},
], ids=["anonymous: []", "jwt"])
def test_what_makes_the_ping_ask(upstream, auth):
    with guarded(upstream, auth) as gateway:
        assert_unauthorized(fetch(gateway.url, "/v2/"))


def test_a_relay_makes_the_ping_ask(upstream):
    with guarded(upstream, credentials="relay") as gateway:
        assert_unauthorized(fetch(gateway.url, "/v2/"))


@pytest.mark.parametrize("target", [
    manifest("team/app"), manifest("team/app", "sha256:" + 64 * "0"),
    blob("team/app", "sha256:" + 64 * "0"), "/v2/team/app/tags/list",
    "/v2/team/app/referrers/sha256:" + 64 * "0"],
    ids=["tag", "manifest", "blob", "tags", "referrers"])
def test_a_challenge_says_what_to_ask_for(asked, target):
    told = assert_unauthorized(fetch(asked.url, target), "team/app")
    assert told["realm"] == f"http://{asked.host}/token" and told["service"] == asked.host
    head = fetch(asked.url, target, method="HEAD")
    assert head.status == 401 and challenge(head) == told


def test_realm_and_service_are_where_the_client_believes_to_be(asked):
    host = "registry.example.com:5000"
    told = challenge(fetch(asked.url, "/v2/", headers={"Host": host}))
    assert told == {"realm": f"http://{host}/token", "service": host}


def test_the_public_url_is_the_realm(upstream, users):
    server = {"public_url": "https://registry.example.com"}
    with guarded(upstream, {"users": users}, server=server) as gateway:
        told = challenge(fetch(gateway.url, "/v2/"))
        assert told == {"realm": "https://registry.example.com/token", "service": gateway.host}


@pytest.mark.parametrize("host", ['x",realm="http://evil.test/token', "x\\", "x y", "evil.test/a",
                                  "me@evil.test", ""])
def test_a_host_that_breaks_the_challenge(asked, host):
    with Wire(asked.host) as wire:
        wire.send(f"GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = wire.response()
    if answer is not None and answer.status == 401:
        values = answer.all("WWW-Authenticate")
        assert len(values) == 1 and "evil" not in values[0]
        assert len(re.findall('realm="', values[0])) == 1
    else:
        assert answer is None or answer.status == 400


# What /token answers.


def test_the_answer_is_what_every_client_reads(asked):
    for answer in (get_token(asked, None, TEAM, user=ALICE),
                   post_token(asked, TEAM, grant_type="password", username=ALICE[0],
                              password=ALICE[1], service=asked.host, client_id="test")):
        assert answer.status == 200 and answer.headers.get_content_type() == "application/json"
        document = json.loads(answer.body)
        assert document["token"] == document["access_token"]
        assert re.fullmatch(r"[\x21-\x7e]+", document["token"])
        assert isinstance(document["expires_in"], int) and document["expires_in"] >= 60
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", document["issued_at"])
        issued = datetime.fromisoformat(document["issued_at"].split(".")[0].rstrip("Z") + "+00:00")
        assert abs(datetime.now(timezone.utc) - issued) < timedelta(minutes=1)
        assert pull(asked, "team/app", answer).status == 200


def test_a_token_opens_what_was_asked_for_and_nothing_else(asked):
    given = get_token(asked, None, TEAM, user=ALICE)
    assert pull(asked, "team/app", given).status == 200
    digest = asked.upstream.blobs_of["team/app"]
    assert fetch(asked.url, blob("team/app", digest), headers=bearer(given)).status == 200
    assert_unauthorized(pull(asked, "team/deep/app", given), "team/deep/app", "insufficient_scope")
    assert_unauthorized(pull(asked, "team/deep/app", get_token(asked, user=ALICE)),
                        "team/deep/app", "insufficient_scope")


@pytest.mark.parametrize("ask", [
    lambda gateway: get_token(gateway, None, TEAM, scope("team/deep/app"), user=ALICE),
    lambda gateway: post_token(gateway, TEAM, scope("team/deep/app"), grant_type="password",
                               username=ALICE[0], password=ALICE[1], service=gateway.host),
], ids=["GET", "POST"])
def test_several_scopes(asked, ask):
    given = ask(asked)
    for repository in ("team/app", "team/deep/app"):
        assert pull(asked, repository, given).status == 200


def test_fewer_rights_than_asked_for_are_no_error(asked):
    given = get_token(asked, None, scope("team/app", "pull,push,delete"), OTHER,
                      scope("no/such", "*"), user=ALICE)
    assert pull(asked, "team/app", given).status == 200
    assert_denied(pull(asked, "other/app", given))
    assert_denied(pull(asked, "no/such", given))
    assert_denied(fetch(asked.url, manifest("team/app", "2"), method="PUT", body=b"{}",
                        headers=bearer(given)))


@pytest.mark.parametrize("odd", ["registry:catalog:*", "repository(plugin):team/app:pull",
                                 "repository:registry.example.com:5000/team/app:pull",
                                 "repository:127.0.0.1:5000/app:pull,push", "other:thing:do"])
def test_scopes_of_other_kinds_harm_nothing(asked, odd):
    """Names with a host and a port have a colon more than others; docker asks for plugins so."""
    given = get_token(asked, None, odd, TEAM, user=ALICE)
    assert pull(asked, "team/app", given).status == 200
    assert_unauthorized(pull(asked, "team/deep/app", given), "team/deep/app", "insufficient_scope")


def test_who_says_nothing_gets_an_anonymous_token(asked):
    given = get_token(asked, None, PUBLIC, TEAM)
    assert pull(asked, "public/app", given).status == 200
    assert_refused(pull(asked, "team/app", given))
    assert pull(asked, "public/app").status == 200, "what needs no token wants none"


def test_without_anybody_to_log_in_there_are_tokens_too(upstream):
    """Some clients ask for one whatever the ping says."""
    with guarded(upstream) as gateway:
        given = get_token(gateway, None, TEAM)
        assert pull(gateway, "team/app", given).status == 200


def test_the_login_that_names_no_scope(asked):
    more = [("account", ALICE[0]), ("client_id", "docker"), ("offline_token", "true")]
    answer = get_token(asked, {"service": asked.host}, user=ALICE, more=more)
    assert fetch(asked.url, "/v2/", headers=bearer(answer)).status == 200


# The service is what the scopes are of.


def test_a_namespace_goes_through_the_service(asked):
    target = manifest("other/app", query="?ns=up.test")
    told = assert_unauthorized(fetch(asked.url, target), "other/app")
    assert told["service"] == f"{asked.host}?ns=up.test"
    given = get_token(asked, told, user=ALICE)
    assert pull(asked, "other/app", given, "?ns=up.test").status == 200
    assert_refused(pull(asked, "other/app", given))                  # by path it is another name
    plain = get_token(asked, None, OTHER, user=ALICE)
    assert_refused(pull(asked, "other/app", plain, "?ns=up.test"))


def test_a_token_for_one_name_is_none_for_the_same_name_elsewhere(asked):
    """team/** is alice's by path, and neither by namespace nor by another host."""
    given = get_token(asked, None, TEAM, user=ALICE)
    assert_refused(pull(asked, "team/app", given, "?ns=up.test"))
    assert_refused(fetch(asked.url, manifest("team/app"),
                         headers=bearer(given) | {"Host": "up.example.org"}))
    assert_denied(get(asked, manifest("team/app", query="?ns=up.test"), user=ALICE))
    assert_denied(get(asked, manifest("team/app"), user=ALICE, headers={"Host": "up.example.org"}))


# What is refused.


@pytest.mark.parametrize("secret", ["wrong", ALICE[1] + " ", ALICE[1][:-1], ALICE[1].upper()])
def test_a_wrong_password(upstream, users, secret):
    with guarded(upstream, {"users": users}) as gateway:
        for answer in (get_token(gateway, None, TEAM, user=(ALICE[0], secret)),
                       post_token(gateway, TEAM, grant_type="password", username=ALICE[0],
                                  password=secret, service=gateway.host)):
            assert_error(answer, 401, "UNAUTHORIZED")
        assert_unauthorized(fetch(gateway.url, "/v2/", headers={
            "Authorization": basic(ALICE[0], secret)}), error="invalid_token")


FORMS = {
    "no grant": {"username": ALICE[0], "password": ALICE[1]},
    "unknown grant": {"grant_type": "client_credentials"},
    "no user": {"grant_type": "password", "password": ALICE[1]},
    "no password": {"grant_type": "password", "username": ALICE[0]},
    "no refresh token": {"grant_type": "refresh_token"},
    "a scope that is none": {"grant_type": "password", "username": ALICE[0],
                             "password": ALICE[1], "scope": "garbage"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_forms_that_are_none(asked, form):
    answer = post_token(asked, **form)
    assert answer.status == 400 or (answer.status == 401 and "password" not in form)
    assert answer.headers.get_content_type() == "application/json"
    assert json.loads(answer.body)["errors"][0]["code"]


@pytest.mark.parametrize("body,kind", [
    (b'{"grant_type": "password"}', "application/json"), (b"grant_type=password", ""),
    (b"grant_type=%zz", None), (b"\0\xff=\xff", None), (b"", None)],
    ids=["JSON", "no type", "bad escape", "bytes", "empty"])
def test_bodies_that_are_no_form(asked, body, kind):
    headers = {"Content-Type": "application/x-www-form-urlencoded" if kind is None else kind}
    assert fetch(asked.url, "/token", method="POST", body=body, headers=headers).status == 400


@pytest.mark.parametrize("target", ["/token?scope=%zz", "/token?scope=garbage",
                                    "/token?scope=repository:team/app"])
def test_queries_that_are_none(asked, target):
    assert fetch(asked.url, target).status == 400


def test_a_body_without_end_is_not_read(asked):
    body = b"grant_type=password&username=" + b"a" * (4 << 20)
    with Wire(asked.host) as wire:
        wire.offer(b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   b"Content-Type: application/x-www-form-urlencoded\r\n"
                   b"Content-Length: %d\r\n\r\n" % len(body) + body[:1 << 20])
        assert wire.response().status in (400, 413)
    assert fetch(asked.url, "/health").status == 200


CREDENTIALS = {"nothing": "Basic", "no base64": "Basic !!!", "no colon": "Basic bm9jb2xvbg==",
               "no scheme": "x", "other scheme": "Digest a=b", "long": "Basic " + "QUFB" * 3000}


@pytest.mark.parametrize("header", CREDENTIALS.values(), ids=CREDENTIALS.keys())
def test_credentials_that_are_none(upstream, users, header):
    """They are not taken for those of somebody who says nothing."""
    with guarded(upstream, {"users": users}) as gateway:
        headers = {"Authorization": header}
        assert get_token(gateway, None, PUBLIC, headers=headers).status in (400, 401)
        assert fetch(gateway.url, manifest("public/app"), headers=headers).status in (400, 401)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(asked, method):
    answer = fetch(asked.url, "/token", method=method, body=b"")
    assert answer.status == 405
    assert {"GET", "POST"} <= {each.strip() for each in answer.headers["Allow"].split(",")}


def test_the_log_has_no_query_of_the_token_service(asked):
    headers = {"User-Agent": "says-much"}
    get_token(asked, None, "repository:look/for/me:pull", user=ALICE, more=[("account", "its-me")],
              headers=headers)
    get_token(asked, {"service": "marked.example.org"}, more=[("client_id", "marked")],
              headers=headers)
    records = asked.wait_for_records(2, user_agent="says-much")
    assert {record.target for record in records} == {"/token"}
    for word in ("look/for/me", "its-me", "marked", ALICE[1]):
        assert word not in asked.stderr()
