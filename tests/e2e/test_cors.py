# SPDX-License-Identifier: Apache-2.0
"""Browsers: which pages may read what the gateway says."""

import pytest
from testbed.guarded import guarded, upstream, users  # noqa: F401
from testbed.http_request import fetch
from testbed.token_client import blob, get_token, manifest, scope

ORIGIN = "https://ui.example.com"
TARGET = manifest("team/app")


@pytest.fixture
def gateway(upstream, users):
    server = {"cors": {"allowed_origins": [ORIGIN, "https://*.example.org"]}}
    auth = {"users": users, "anonymous": []}
    with guarded(upstream, auth, server=server) as running:
        yield running


def preflight(gateway, target=TARGET, origin=ORIGIN, method="GET", headers="authorization"):
    return fetch(gateway.url, target, method="OPTIONS", headers={
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers})


def allowed(answer):
    return answer.headers["Access-Control-Allow-Origin"]


def words(answer, name):
    return {word.strip().lower() for word in (answer.headers[name] or "").split(",")} - {""}


@pytest.mark.parametrize("target", ["/v2/", TARGET, "/v2/team/app/tags/list", "/token"])
def test_a_page_asks_before_it_asks(gateway, target):
    """A browser sends no credentials with that, so nobody is asked for any."""
    answer = preflight(gateway, target)
    assert answer.status in (200, 204)
    assert allowed(answer) == ORIGIN
    assert {"get", "head"} <= words(answer, "Access-Control-Allow-Methods")
    assert "authorization" in words(answer, "Access-Control-Allow-Headers")
    assert "origin" in words(answer, "Vary")


def test_a_page_reads_what_it_needs(gateway, upstream, users):
    with guarded(upstream, {"users": users}, server=gateway.config["server"] | {
            "listen": ["127.0.0.1:0"]}) as open_to_all:
        for target in (TARGET, blob("team/app", upstream.blobs_of["team/app"])):
            answer = fetch(open_to_all.url, target, headers={"Origin": ORIGIN})
            assert answer.status == 200 and allowed(answer) == ORIGIN
            shown = words(answer, "Access-Control-Expose-Headers")
            assert {"docker-content-digest", "www-authenticate"} <= shown
            assert "origin" in words(answer, "Vary")


def test_errors_are_read_too(gateway):
    """Else a page cannot tell that it has to log in."""
    for target, status in ((TARGET, 401), ("/v2/", 401), ("/nothing", 404)):
        answer = fetch(gateway.url, target, headers={"Origin": ORIGIN})
        assert answer.status == status and allowed(answer) == ORIGIN
    answer = get_token(gateway, None, scope("team/app"), headers={"Origin": ORIGIN})
    assert answer.status == 200 and allowed(answer) == ORIGIN


@pytest.mark.parametrize("origin", [
    "http://ui.example.com", "https://ui.example.com.evil.test", "https://evil.test",
    "https://ui.example.com:8443", "https://evil.test/https://ui.example.com", "null",
    "https://xui.example.com", "https://example.org", "https://evilexample.org",
    "https://a.example.org.evil.test", "*"])
def test_other_pages_read_nothing(gateway, origin):
    for answer in (fetch(gateway.url, "/v2/", headers={"Origin": origin}),
                   preflight(gateway, origin=origin)):
        assert allowed(answer) is None
        assert answer.headers["Access-Control-Allow-Credentials"] is None


def test_patterns_of_origins(gateway, upstream):
    assert allowed(preflight(gateway, origin="https://a.example.org")) == "https://a.example.org"
    server = {"cors": {"allowed_origins": ["https://*"]}}
    with guarded(upstream, server=server) as any_secure:
        for origin in (ORIGIN, "https://other.test:8443"):
            assert allowed(fetch(any_secure.url, "/v2/", headers={"Origin": origin})) in (origin, "*")
        assert allowed(fetch(any_secure.url, "/v2/", headers={"Origin": "http://a.test"})) is None


def test_no_page_uses_what_the_browser_keeps(gateway):
    """Tokens are sent by the page; cookies and stored passwords are nobody's."""
    for answer in (preflight(gateway), fetch(gateway.url, "/v2/", headers={"Origin": ORIGIN})):
        assert answer.headers["Access-Control-Allow-Credentials"] is None


def test_without_the_setting_nothing_is_said(upstream):
    with guarded(upstream) as plain:
        for answer in (fetch(plain.url, TARGET, headers={"Origin": ORIGIN}), preflight(plain)):
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_who_is_no_page_is_told_nothing(gateway):
    answer = fetch(gateway.url, "/v2/")
    assert allowed(answer) in (None, "*")
