# SPDX-License-Identifier: Apache-2.0
"""Which upstream repository a request means: by repository, prefix, Host and ?ns=.

One registry plays them all; which repository was meant shows in the digest that comes back.
"""

from types import SimpleNamespace

import pytest

from testbed import images
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.registry import Registry

REPOSITORIES = ["one/app", "two/app", "three/app", "four/bp/app", "five/app", "six/app", "bp/app",
                "bp/deep/app"]


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    with Registry(tmp_path_factory.mktemp("routed")) as registry:
        contents = {name: images.image([images.noise_layer(name.replace("/", "-"), 100)])
                    for name in REPOSITORIES}
        for name, content in contents.items():
            images.push(registry.url, name, content, "1")
        config = {
            "registries": {"corp": {"url": registry.url}, "other.test": {"url": registry.url}},
            "routes": [
                {"match": "alias", "to": "corp/one/app"},
                {"match": "bp/", "to": "corp/two/"},
                {"match": "bp/deep/", "to": "corp/three/"},
                {"host": "images.example.org", "to": "corp/four/"},
                {"host": "images.example.org", "match": "bp/", "to": "corp/five/"},
                {"host": "*.mirror.example.org", "to": "{1}/"},
                {"namespace": "special.test", "to": "other.test/six/"},
                {"namespace": "*", "to": "{1}/"},
            ]}
        with Fairlead(config) as fairlead:
            yield SimpleNamespace(fairlead=fairlead, registry=registry, contents=contents)


def meant(routed, repository, host=None, query=""):
    """The name of the upstream repository whose image is the answer, or the status."""
    answer = fetch(routed.fairlead.url, f"/v2/{repository}/manifests/1{query}",
                   headers={"Host": host} if host else None)
    if answer.status != 200:
        return answer.status
    return next(name for name, content in routed.contents.items()
                if content.digest == answer.headers["Docker-Content-Digest"])


@pytest.mark.parametrize("repository,expected", [
    ("alias", "one/app"),               # one repository
    ("alias/app", 404),                 # and not what is below it
    ("bp/app", "two/app"),              # a prefix
    ("bp/deep/app", "three/app"),       # the longest prefix
    ("bpx/app", 404),                   # a prefix ends at a slash
    ("bp", 404),
    ("one/app", 404),                   # no route: not even what the registry has
])
def test_by_repository(routed, repository, expected):
    assert meant(routed, repository) == expected


@pytest.mark.parametrize("host", ["images.example.org", "images.example.org:5000",
                                  "Images.Example.ORG"])
def test_by_host(routed, host):
    assert meant(routed, "bp/app", host=host) == "five/app"         # host and prefix
    assert meant(routed, "five/app", host=host) == 404              # in four/, which has no such
    assert fetch(routed.fairlead.url, "/v2/bp/app/manifests/1", headers={"Host": host}).status == 200


def test_a_subdomain_names_a_registry(routed):
    assert meant(routed, "six/app", host="corp.mirror.example.org") == "six/app"
    assert meant(routed, "six/app", host="unknown.mirror.example.org") == 404
    assert meant(routed, "six/app", host="mirror.example.org") == 404


def test_by_namespace(routed):
    assert meant(routed, "bp/app", query="?ns=corp") == "bp/app"    # not the prefix route's two/app
    assert meant(routed, "six/app", query="?ns=other.test") == "six/app"
    assert meant(routed, "app", query="?ns=special.test") == "six/app"


def test_the_namespace_does_not_go_upstream(routed):
    routed.registry.forget()
    content = routed.contents["six/app"]
    fetch(routed.fairlead.url, "/v2/six/app/manifests/1?ns=corp", method="HEAD")
    fetch(routed.fairlead.url, f"/v2/six/app/blobs/{content.blobs[1].digest}?ns=corp")
    assert [request for request in routed.registry.requests() if "ns=" in request.target] == []


def test_the_namespace_is_told_back(routed):
    answer = fetch(routed.fairlead.url, "/v2/six/app/manifests/1?ns=corp")
    assert answer.headers["OCI-Namespace"] == "corp"


@pytest.mark.parametrize("namespace", ["evil.test", "169.254.169.254", "127.0.0.1:9", "corp."])
def test_an_unknown_namespace_is_refused(routed, namespace):
    """Though a prefix route would match: that would be another registry's image."""
    routed.registry.forget()
    answer = fetch(routed.fairlead.url, f"/v2/bp/app/manifests/1?ns={namespace}")
    assert_error(answer, 404, "NAME_UNKNOWN")
    assert routed.registry.requests() == []


def test_a_namespace_that_is_our_own_address_is_none(routed):
    assert meant(routed, "bp/app", query=f"?ns={routed.fairlead.host}") == "two/app"


def test_no_route_is_an_unknown_name(routed):
    routed.registry.forget()
    for target in ("nowhere/app/manifests/1", "nowhere/app/tags/list",
                   "nowhere/app/blobs/sha256:" + "0" * 64):
        assert_error(fetch(routed.fairlead.url, f"/v2/{target}"), 404, "NAME_UNKNOWN")
    assert routed.registry.requests() == []


def test_the_record_says_where_it_went(routed):
    fetch(routed.fairlead.url, "/v2/bp/deep/app/manifests/1", headers={"User-Agent": "routing-test"})
    record = routed.fairlead.wait_for_records(1, user_agent="routing-test")[0]
    assert (record.registry, record.repository) == ("corp", "bp/deep/app")
    assert record.upstream_repository == "three/app"
    assert (record.method, record.target) == ("GET", "/v2/bp/deep/app/manifests/1")
    assert record.status == 200
    assert record.bytes == len(routed.contents["three/app"].manifest)
    assert record.id and record.peer.startswith("127.0.0.1:")


def test_outside_v2_nothing_is_routed(routed):
    for target in ("/", "/v1/search", "/v2x/app/manifests/1", "/index.html"):
        assert fetch(routed.fairlead.url, target).status == 404


def test_upstream_down():
    registry = Registry()
    with registry:
        address = registry.url
    with Fairlead({"registries": {"upstream.test": {"url": address}},
                   "routes": [{"match": "", "to": "upstream.test/"}]}) as fairlead:
        for target in ("team/app/manifests/1", "team/app/tags/list",
                       "team/app/blobs/sha256:" + "0" * 64):
            answer = fetch(fairlead.url, f"/v2/{target}")
            assert answer.status in (502, 504)
            assert_error(answer, answer.status, "UNAVAILABLE")
            assert answer.status == fairlead.wait_for_records(1, target=f"/v2/{target}")[0].status


def test_what_is_cached_is_served_while_the_upstream_is_down(tmp_path):
    content = images.image([images.noise_layer("kept", 5000)])
    with Registry(tmp_path) as registry:
        images.push(registry.url, "team/app", content, "1")
        with Fairlead({"registries": {"upstream.test": {"url": registry.url}},
                       "routes": [{"match": "", "to": "upstream.test/"}]}) as fairlead:
            targets = [f"/v2/team/app/manifests/{content.digest}",
                       *(f"/v2/team/app/blobs/{blob.digest}" for blob in content.blobs)]
            before = [fetch(fairlead.url, target).body for target in targets]
            registry.stop()
            assert [fetch(fairlead.url, target).body for target in targets] == before
