# SPDX-License-Identifier: Apache-2.0
"""GET /v2/_catalog: the repositories of a real registry, under the client's names, as far as the
caller may pull them."""

import json

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.guarded import ALICE, guarded, users  # noqa: F401
from testbed.http_request import basic, fetch
from testbed.registry import Registry
from testbed.token_client import bearer, challenge, get_token

HELD = ["apps/api", "apps/web", "one", "private/x", "team/app"]


@pytest.fixture(scope="module")
def registry():
    with Registry() as found:
        content = images.image([images.noise_layer("catalog", 100)])
        for name in HELD:
            images.push(found.url, name, content, "1")
        yield found


def listed(gateway, query="", **options):
    answer = fetch(gateway.url, f"/v2/_catalog{query}", **options)
    assert answer.status == 200, answer.body
    assert answer.headers.get_content_type() == "application/json"
    return json.loads(answer.body)["repositories"], answer.headers.get("Link")


def configuration(registry, routes, **more):
    return {"registries": {"corp": {"url": registry.url, "catalog": True}}, "routes": routes} | more


def test_there_is_none_unless_a_registry_is_in_it(registry):
    with guarded(registry) as gateway:
        assert_error(fetch(gateway.url, "/v2/_catalog"), 404, "UNSUPPORTED")


def test_the_names_are_the_clients(registry):
    routes = [{"match": "bp/", "to": "corp/apps/"}, {"match": "single", "to": "corp/one"},
              {"match": "all/", "to": "corp/", "deny": ["private/**"]},
              {"match": "all/team/", "to": "docker.io/team/"},
              {"namespace": "corp.test", "to": "corp/"},
              {"match": "3f0c8f0e-9d1b-4f43-8f5c-d0e3a5a7c111", "to": "corp/one", "capability": True}]
    with Fairlead(configuration(registry, routes)) as gateway:
        expected = ["all/apps/api", "all/apps/web", "all/one", "bp/api", "bp/web", "single"]
        assert listed(gateway) == (expected, None)
        assert listed(gateway, "?ns=corp.test") == (HELD, None)
        assert listed(gateway, "?ns=other.test") == ([], None)
        for name in expected:
            assert fetch(gateway.url, f"/v2/{name}/manifests/1").status == 200, name


def test_pages(registry):
    with Fairlead(configuration(registry, [{"namespace": "corp.test", "to": "corp/"}])) as gateway:
        target, found = "/v2/_catalog?n=2&ns=corp.test", []
        while target:
            answer = fetch(gateway.url, target)
            page = json.loads(answer.body)["repositories"]
            assert len(page) <= 2
            found += page
            link = answer.headers.get("Link")
            target = link and link.partition(">")[0].removeprefix("<")
        assert found == HELD
        assert listed(gateway, "?n=0&ns=corp.test") == ([], None)
        assert listed(gateway, "?last=ones&ns=corp.test") == (["private/x", "team/app"], None)
        assert_error(fetch(gateway.url, "/v2/_catalog?n=many"), 400, "UNSUPPORTED")
        assert registry.count("GET", "/_catalog") >= 1


def test_everybody_sees_what_they_may_pull(registry, users):
    rules = [{"who": "alice", "repositories": ["team/**", "private/**"], "actions": ["pull"]}]
    with guarded(registry, {"users": users, "rules": rules, "anonymous": []},
                 catalog=True) as gateway:
        refused = fetch(gateway.url, "/v2/_catalog")
        assert_error(refused, 401, "UNAUTHORIZED")
        assert challenge(refused)["scope"] == "registry:catalog:*"
        expected = ["private/x", "team/app"]
        assert listed(gateway, headers={"Authorization": basic(*ALICE)})[0] == expected
        token = get_token(gateway, challenge(refused), user=ALICE)
        assert listed(gateway, headers=bearer(token))[0] == expected
        for name in expected:
            answer = fetch(gateway.url, f"/v2/{name}/manifests/1", headers=bearer(token))
            assert answer.status == 401, "it is for the catalog only"
        assert listed(gateway, headers=bearer(get_token(gateway, challenge(refused))))[0] == []


def test_nothing_is_asked_for_who_may_see_nothing(users):
    with Registry() as own:
        rules = [{"who": "alice", "repositories": ["**"], "actions": ["pull"]}]
        with guarded(own, {"users": users, "rules": rules, "anonymous": []},
                     catalog=True) as gateway:
            assert_error(fetch(gateway.url, "/v2/_catalog"), 401, "UNAUTHORIZED")
            assert own.count("GET", "/_catalog") == 0
            assert listed(gateway, headers={"Authorization": basic(*ALICE)})[0] == []
            assert own.count("GET", "/_catalog") == 1


def test_anonymous_callers_see_what_they_may_pull(registry, users):
    rules = [{"who": "anonymous", "repositories": ["one"], "actions": ["pull"]}]
    with guarded(registry, {"users": users, "rules": rules, "anonymous": []},
                 catalog=True) as gateway:
        assert listed(gateway)[0] == ["one"]


def test_names_are_served_stale(registry):
    with Registry() as own:
        images.push(own.url, "team/app", images.image([images.noise_layer("stale", 100)]), "1")
        routes = [{"match": "", "to": "corp/"}]
        with Fairlead(configuration(own, routes, cache={"fresh_for": "0s"})) as gateway:
            assert listed(gateway)[0] == ["team/app"]
            own.stop()
            answer = fetch(gateway.url, "/v2/_catalog")
            assert json.loads(answer.body)["repositories"] == ["team/app"]
            assert answer.headers["Warning"].startswith("110 ")


def test_a_registry_that_does_not_answer_is_left_out(registry):
    with FaultyUpstream() as silent:  # it knows no catalog
        config = {"registries": {"corp": {"url": registry.url, "catalog": True},
                                 "none": {"url": silent.url, "catalog": True}},
                  "routes": [{"match": "a/", "to": "corp/"}, {"match": "b/", "to": "none/"}]}
        with Fairlead(config) as gateway:
            answer = fetch(gateway.url, "/v2/_catalog")
            assert json.loads(answer.body)["repositories"] == [f"a/{name}" for name in HELD]
            assert answer.headers["Warning"].startswith("299 ")
