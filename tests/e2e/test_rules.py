# SPDX-License-Identifier: Apache-2.0
"""Who may what: `auth.rules`, `auth.anonymous` and what routes say, as answers to real requests."""

import json

import pytest
from testbed import fairlead
from testbed.guarded import (  # noqa: F401
    assert_unauthorized,
    ALICE,
    BOB,
    REPOSITORIES,
    anonymized,
    assert_denied,
    configuration,
    fill,
    guarded,
    routes,
    untouched,
    upstream,
    users,
)
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import basic, fetch
from testbed.passwords import htpasswd
from testbed.token_client import bearer, blob, get, get_token, manifest, scope

WHO = {"nobody": None, "alice": ALICE, "bob": BOB}


def decided(gateway, repository, who):
    """The status of a pull, the same with the caller's password and with a token for it."""
    user = WHO[who]
    if user is None:
        return fetch(gateway.url, manifest(repository)).status
    headers = {"Authorization": basic(*user)}
    found = {fetch(gateway.url, manifest(repository), headers=headers).status,
             fetch(gateway.url, manifest(repository), headers=bearer(
                 get_token(gateway, None, scope(repository), user=user))).status}
    assert len(found) == 1, found
    return found.pop()


RULES = [
    {"who": "alice", "repositories": ["team/secret/**"], "actions": []},
    {"who": ["alice"], "repositories": ["team/**", "single"], "actions": ["pull"]},
    {"who": ["bob", "carol"], "repositories": ["team/*"], "actions": ["pull"]},
    {"who": ["*"], "repositories": ["bp/**"], "actions": ["pull"]},
    {"who": "alice", "repositories": ["bp/late/**"], "actions": []},       # too late to count
    {"who": "anonymous", "repositories": ["private/**"], "actions": []},
    {"who": "anonymous", "repositories": ["public/**", "bp/open"], "actions": ["pull"]},
]
HELD = ["team/app", "team/deep/app", "teamwork/app", "team/secret/app", "single", "single/app",
        "bp/app", "bp/open", "bp/late/app", "private/app", "public/app", "other/app"]

# nobody, alice, bob
CLOSED = {
    "team/app": (401, 200, 200),
    "team/deep/app": (401, 200, 403),           # * is one step of a path
    "teamwork/app": (401, 403, 403),            # a pattern ends at a slash
    "team/secret/app": (401, 403, 403),         # the first rule decides
    "single": (401, 200, 403),
    "single/app": (401, 403, 403),
    "bp/app": (401, 200, 200),                  # "*" is whoever is somebody
    "bp/open": (200, 200, 200),
    "bp/late/app": (401, 200, 200),
    "private/app": (401, 403, 403),
    "public/app": (200, 200, 200),              # nobody has less than the anonymous
    "other/app": (401, 403, 403),
}
# With `anonymous: [pull]`.
OPEN = {name: tuple(200 if name not in ("private/app", "team/secret/app") else each
                    for each in statuses) for name, statuses in CLOSED.items()} | {
    "private/app": (401, 403, 403),
    "team/secret/app": (200, 403, 200),         # alice's rule says none, and it decides
}


@pytest.fixture(scope="module", params=["closed", "open"])
def ruled(request, tmp_path_factory):
    path = htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", dict([ALICE, BOB]))
    auth = {"users": str(path), "rules": RULES}
    auth |= {"anonymous": []} if request.param == "closed" else {}
    with FaultyUpstream() as server:
        for name in HELD:
            server.add_image(name, "1", [name.encode()])
        with guarded(server, auth) as gateway:
            yield gateway, CLOSED if request.param == "closed" else OPEN


@pytest.mark.parametrize("repository", CLOSED)
def test_the_table(ruled, repository):
    gateway, expected = ruled
    found = tuple(decided(gateway, repository, who) for who in WHO)
    assert found == expected[repository]


def test_without_rules_whoever_is_somebody_may_pull_everything(upstream, users):
    with guarded(upstream, {"users": users, "anonymous": []}) as gateway:
        for repository in REPOSITORIES:
            assert [decided(gateway, repository, who) for who in WHO] == [401, 200, 200]


def test_an_empty_list_of_rules_gives_nothing(upstream, users):
    with guarded(upstream, {"users": users, "anonymous": [], "rules": []}) as gateway:
        assert [decided(gateway, "team/app", who) for who in WHO] == [401, 403, 403]


def test_what_is_refused_is_not_asked_of_the_upstream(upstream, users):
    with guarded(upstream, {"users": users, "anonymous": [], "rules": []}) as gateway:
        with untouched(upstream):
            for who in WHO:
                decided(gateway, "team/app", who)


# What routes say.


def test_a_route_has_its_own_anonymous_callers(upstream, users):
    route_list = routes({"match": "public/", "to": "up/public/", "anonymous": ["pull"]},
                        {"match": "closed/", "to": "up/team/", "anonymous": []})
    for anonymous, rest in (([], 401), (["pull"], 200)):
        auth = {"users": users, "anonymous": anonymous}
        with guarded(upstream, auth, route_list=route_list) as gateway:
            assert decided(gateway, "public/app", "nobody") == 200
            assert decided(gateway, "closed/app", "nobody") == 401
            assert decided(gateway, "team/app", "nobody") == rest
            assert decided(gateway, "closed/app", "bob") == 200


def test_a_rule_for_the_anonymous_goes_before_what_the_route_says(upstream, users):
    route_list = routes({"match": "public/", "to": "up/public/", "anonymous": ["pull"]})
    auth = {"users": users, "anonymous": [], "rules": [
        {"who": "anonymous", "repositories": ["public/**"], "actions": []}]}
    with guarded(upstream, auth, route_list=route_list) as gateway:
        assert decided(gateway, "public/app", "nobody") == 401


def test_rules_are_about_names_as_the_client_says_them(upstream, users):
    """Not about those of the upstream: a rule does not open the way around a route."""
    route_list = [{"match": "mine/", "to": "up/team/"}, {"match": "all/", "to": "up/"}]
    auth = {"users": users, "anonymous": [], "rules": [
        {"who": "alice", "repositories": ["mine/**"], "actions": ["pull"]},
        {"who": "bob", "repositories": ["team/**"], "actions": ["pull"]}]}
    with guarded(upstream, auth, route_list=route_list) as gateway:
        assert decided(gateway, "mine/app", "alice") == 200
        assert decided(gateway, "all/team/app", "alice") == 403
        assert decided(gateway, "mine/app", "bob") == 403


QUALIFIED = {
    "team/**": ("", ""), "up.test/team/**": ("?ns=up.test", ""),
    "up.example.org/team/**": ("", "up.example.org"),
}


@pytest.mark.parametrize("pattern", QUALIFIED)
def test_the_same_path_by_another_way_is_another_name(upstream, users, pattern):
    auth = {"users": users, "anonymous": [], "rules": [
        {"who": "alice", "repositories": [pattern], "actions": ["pull"]}]}
    with guarded(upstream, auth) as gateway:
        for other, (query, host) in QUALIFIED.items():
            expected = 200 if other == pattern else 403
            spellings = [(query, host)]
            if host:
                spellings += [(query, "UP.Example.ORG"), (query, f"{host}:5000")]
            if query:
                spellings += [("?ns=UP.test", host)] if other == pattern else []
            for asked, header in spellings:
                headers = {"Host": header} if header else {}
                target = manifest("team/app", query=asked)
                assert get(gateway, target, user=ALICE, headers=headers).status == expected
                direct = headers | {"Authorization": basic(*ALICE)}
                assert fetch(gateway.url, target, headers=direct).status == expected


# Names that are nobody's business.


def test_a_stranger_learns_of_no_name(upstream, users):
    route_list = [{"match": "team/", "to": "up/team/"}]
    with guarded(upstream, {"users": users, "anonymous": []}, route_list=route_list) as gateway:
        names = ["team/app", "team/gone", "not/routed"]
        for target in (manifest, lambda name: f"/v2/{name}/tags/list",
                       lambda name: blob(name, upstream.blobs_of["team/app"])):
            answers = [anonymized(fetch(gateway.url, target(name)), name) for name in names]
            assert answers[0] == answers[1] == answers[2]
            assert answers[0][0] == 401
        assert fetch(gateway.url, manifest("not/routed"),
                     headers={"Authorization": basic(*ALICE)}).status == 404


def test_a_user_without_the_right_learns_of_no_name(upstream, users):
    auth = {"users": users, "anonymous": [], "rules": [
        {"who": "alice", "repositories": ["team/**"], "actions": ["pull"]}]}
    with guarded(upstream, auth, route_list=[{"match": "other/", "to": "up/other/"}]) as gateway:
        headers = {"Authorization": basic(*ALICE)}
        answers = [anonymized(fetch(gateway.url, manifest(name), headers=headers), name)
                   for name in ("other/app", "other/gone", "not/routed")]
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] == 403


# Writing.


@pytest.mark.parametrize("method,target", [
    ("PUT", manifest("team/app", "new")), ("DELETE", manifest("team/app")),
    ("POST", "/v2/team/app/blobs/uploads/")])
def test_nobody_writes_where_routes_only_read(upstream, users, method, target):
    auth = {"users": users, "anonymous": [], "rules": [
        {"who": "alice", "repositories": ["**"], "actions": ["pull", "push", "delete"]}]}
    with guarded(upstream, auth) as gateway, untouched(upstream, "^/v2/team"):
        for headers in ({"Authorization": basic(*ALICE)},
                        bearer(get_token(gateway, None, scope("team/app", "pull,push,delete"),
                                         user=ALICE))):
            assert_denied(fetch(gateway.url, target, method=method, body=b"{}", headers=headers))
        assert fetch(gateway.url, target, method=method, body=b"{}").status in (401, 403)


# What the file may not say.


@pytest.mark.parametrize("rules,named", [
    ([{"who": "alice", "repositories": ["team/**"], "actions": ["look"]}], "auth.rules[0].actions"),
    ([{"who": "alice", "repositories": []}], "auth.rules[0]"),
    ([{"repositories": ["team/**"], "actions": ["pull"]}], "auth.rules[0]"),
    ([{"who": "alice", "repos": ["team/**"], "actions": ["pull"]}], "auth.rules[0].repos"),
    ("everything", "auth.rules"),
])
def test_rules_that_are_none(upstream, users, tmp_path, rules, named):
    path = tmp_path / "fairlead.yaml"
    path.write_text(json.dumps(configuration(upstream, {"users": users, "rules": rules})))
    done = fairlead.run("check", "--config", path)
    assert done.returncode == 1 and named in done.stdout + done.stderr


def test_who_may_see_nothing_does_not_learn_what_a_route_leaves_out(upstream):
    only = [{"match": "left/", "to": "up/", "repositories": ["team/**"]}]
    with guarded(upstream, {"anonymous": []}, route_list=only) as gateway:
        for name in ("left/team/app", "left/other/app", "no/route"):
            assert_unauthorized(fetch(gateway.url, manifest(name)), name)
