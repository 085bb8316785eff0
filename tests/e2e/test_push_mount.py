# SPDX-License-Identifier: Apache-2.0
"""Mounts: within one registry they are passed on under its names; else an ordinary upload begins, and
nobody learns by it what there is."""

import re

import pytest
from testbed import images
from testbed.faulty_upstream import FaultyUpstream
from testbed.guarded import ALICE, BOB, PASSWORDS, anonymized
from testbed.http_request import basic
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL, Repository, writable
from testbed.registry import Registry, TokenAuth
from testbed.token_client import bearer, get_token, scope
from testbed.token_server import TokenServer
from testbed.upstream_faults import failing, patterned

DATA = patterned(3000, seed=1)
DIGEST = images.sha256(DATA)
ABSENT = images.sha256(b"absent")
ROUTES = [
    {"match": "team/", "to": "up/corp/apps/", "allow": ALL},
    {"match": "base/", "to": "up/corp/base/", "allow": ALL},
    {"match": "readonly/", "to": "up/corp/base/"},
    {"match": "elsewhere/", "to": "up2/corp/base/", "allow": ALL},
    {"host": "images.example.org", "to": "up/hosted/", "allow": ALL},
    {"namespace": "up.test", "to": "up/spaces/", "allow": ALL},
]


@pytest.fixture(params=[Registry, OciRegistry], ids=["distribution", "complete"])
def gateway(request):
    """In front of two registries, of which the first has the blob in corp/base/app and the second
    another, in a repository of the same name."""
    with request.param() as registry, request.param() as second:
        yield from _serving(registry, second)


@pytest.fixture
def complete():
    with OciRegistry() as registry, OciRegistry() as second:
        yield from _serving(registry, second)


def _serving(registry, second, **more):
    Repository(registry.url, "corp/base/app").push(DATA)
    Repository(second.url, "corp/base/app").push(b"of the second")
    with writable(registry, second, routes=ROUTES, **more) as found:
        found.registry, found.second = registry, second
        registry.forget()
        second.forget()
        yield found


def posts(registry):
    """The targets of the POSTs it had."""
    return [each.target if hasattr(each, "target") else each[1] for each in
            (registry.requests("POST") if isinstance(registry, Registry) else registry.seen("POST"))]


def assert_mounted(app, answer, digest=DIGEST, data=DATA):
    assert answer.status == 201, (answer.status, answer.body)
    assert answer.headers["Location"].split("?")[0] == f"/v2/{app.name}/blobs/{digest}"
    pulled = app.blob(digest)
    assert (pulled.status, pulled.body) == (200, data)


def assert_begins(app, answer, data=DATA):
    """An ordinary upload, that works."""
    assert answer.status == 202, (answer.status, answer.body)
    assert answer.headers["Location"].startswith(f"/v2/{app.name}/blobs/uploads/")
    assert not re.search("mount|from", answer.headers["Location"].partition("?")[2])
    assert app.put(answer, images.sha256(data), data).status == 201
    assert app.blob(images.sha256(data)).body == data


# Within one registry.


@pytest.mark.parametrize("source", ["base/app", "readonly/app", "corp/base/app"])
def test_names_are_those_of_the_client(gateway, source):
    app = Repository(gateway.url, "team/app")
    answer = app.open(mount=DIGEST, from_=source)
    assert_mounted(app, answer)
    [target] = posts(gateway.registry)
    assert target.startswith("/v2/corp/apps/app/blobs/uploads/?")
    assert re.search("from=corp(/|%2F)base(/|%2F)app(&|$)", target)
    direct = Repository(gateway.registry.url, "corp/apps/app").blob(DIGEST)
    assert (direct.status, direct.body) == (200, DATA)


@pytest.mark.parametrize("headers,query,behind", [
    ({"Host": "images.example.org"}, "", "hosted"), ({}, "ns=up.test", "spaces")])
def test_both_are_found_by_the_same_host_and_namespace(gateway, headers, query, behind):
    source, target = (Repository(gateway.url, name, headers, query) for name in ("base", "app"))
    source.push(DATA)
    answer = target.open(mount=DIGEST, from_="base")
    assert_mounted(target, answer)
    assert re.search(f"from={behind}(/|%2F)base", posts(gateway.registry)[-1])
    assert "ns=" not in posts(gateway.registry)[-1]


def test_within_one_repository(gateway):
    app = Repository(gateway.url, "base/app")
    assert_mounted(app, app.open(mount=DIGEST, from_="base/app"))


def test_what_is_not_there(gateway):
    """The registry begins an upload."""
    app = Repository(gateway.url, "team/app")
    assert_begins(app, app.open(mount=ABSENT, from_="base/app"))
    assert_begins(app, app.open(mount=DIGEST, from_="base/gone"))


def test_from_anywhere(gateway):
    """Without `from` it is for the registry to look; these two begin an upload."""
    app = Repository(gateway.url, "team/app")
    assert_begins(app, app.open(mount=DIGEST))


@pytest.mark.parametrize("mount", ["nonsense", "sha256:abc", "", "sha256:" + "G" * 64])
def test_what_is_no_digest(gateway, mount):
    """docker-registry begins an upload. A refusal is as good; nothing is mounted."""
    app = Repository(gateway.url, "team/app")
    answer = app.open(mount=mount, from_="base/app")
    if answer.status == 400:
        assert b"DIGEST_INVALID" in answer.body
    else:
        assert_begins(app, answer)


@pytest.mark.parametrize("source", ["", "/", "..", "../corp/base/app", "BASE/app", "base//app",
                                    "base/app/", "x" * 2000, "base/app?x=1", "base/app&from=b"])
def test_what_is_no_name(complete, source):
    app = Repository(complete.url, "team/app")
    answer = app.send("POST", f"/v2/team/app/blobs/uploads/?mount={DIGEST}&from="
                      + source.replace("&", "%26").replace("?", "%3F"))
    if answer.status == 400:
        assert b"NAME_INVALID" in answer.body
        assert posts(complete.registry) == []
    else:
        assert_begins(app, answer)


def test_what_is_mounted_is_known_at_once(gateway):
    """It was missing; it is there now, and deleted again it is not."""
    app = Repository(gateway.url, "team/app")
    assert app.blob(DIGEST).status == 404
    assert_mounted(app, app.open(mount=DIGEST, from_="base/app"))
    assert app.send("DELETE", app.target(f"blobs/{DIGEST}")).status == 202
    assert app.blob(DIGEST).status == 404


# Across registries, and what leads nowhere.


@pytest.mark.parametrize("source,digest", [
    ("elsewhere/app", images.sha256(b"of the second")),
    ("up2/corp/base/app", images.sha256(b"of the second")), ("elsewhere/app", DIGEST)])
def test_across_registries(gateway, source, digest):
    """Also where a repository of the same name has the blob: it is not the one that is meant."""
    app = Repository(gateway.url, "team/app")
    answer = app.open(mount=digest, from_=source)
    assert_begins(app, answer)
    assert not re.search("mount|from", posts(gateway.registry)[0])
    assert posts(gateway.second) == []


def test_no_route():
    with OciRegistry() as registry:
        Repository(registry.url, "other/app").push(DATA)
        routes = [{"match": "team/", "to": "up/team/", "allow": ALL}]
        with writable(registry) as gateway:
            gateway.write_config({**gateway.config, "routes": routes})
            gateway.restart()
            registry.forget()
            app = Repository(gateway.url, "team/app")
            assert_begins(app, app.open(mount=DIGEST, from_="other/app"))
            assert not re.search("mount|from", posts(registry)[0])


def test_from_what_a_route_leaves_out():
    with OciRegistry() as registry:
        Repository(registry.url, "hidden/app").push(DATA)
        with writable(registry, of_all={"deny": ["hidden/**"]}) as gateway:
            app = Repository(gateway.url, "team/app")
            assert Repository(gateway.url, "hidden/app").blob(DIGEST).status in (403, 404)
            registry.forget()
            assert_begins(app, app.open(mount=DIGEST, from_="hidden/app"))
            assert not re.search("mount|from", posts(registry)[0])


# Without the right to pull there.


@pytest.fixture
def ruled(tmp_path):
    auth = {"users": str(htpasswd(tmp_path / "htpasswd", PASSWORDS)), "anonymous": [], "rules": [
        {"who": "alice", "repositories": ["team/**"], "actions": ALL},
        {"who": "bob", "repositories": ["team/**", "base/**"], "actions": ALL}]}
    with OciRegistry() as registry, OciRegistry() as second:
        yield from _serving(registry, second, auth=auth)


def test_from_where_the_caller_may_not_pull(ruled):
    alice, bob = (Repository(ruled.url, "team/app", {"Authorization": basic(*user)})
                  for user in (ALICE, BOB))
    assert_begins(alice, alice.open(mount=DIGEST, from_="base/app"))
    assert not re.search("mount|from", posts(ruled.registry)[0])
    assert_mounted(bob, bob.open(mount=DIGEST, from_="base/app"))


def test_nothing_is_learnt(ruled):
    """What is there, what is not, what has no route: all begin an upload, with the same answer and
    after the same questions to the registry."""
    alice = Repository(ruled.url, "team/app", {"Authorization": basic(*ALICE)})
    answers, asked = [], []
    for source, digest in (("base/app", DIGEST), ("base/app", ABSENT), ("base/gone", DIGEST),
                           ("elsewhere/app", DIGEST)):
        ruled.registry.forget()
        answer = alice.open(mount=digest, from_=source)
        status, headers, body = anonymized(answer, alice.name)
        answers.append((status, sorted(name for name, _ in headers), body))
        asked.append([(each[0], each[1]) for each in ruled.registry.seen()])
        assert ruled.second.count() == 0
    assert answers[0][0] == 202
    assert all(each == answers[0] for each in answers)
    assert all(each == asked[0] for each in asked)


def test_a_token_of_the_target_alone_does_not_mount(ruled):
    """bob may pull there, but did not ask for that; docker asks for both scopes."""
    for scopes, status in ((["team/app"], 202), (["team/app", "base/app"], 201)):
        given = get_token(ruled, None, *(scope(name, "pull,push") for name in scopes), user=BOB)
        app = Repository(ruled.url, "team/app", bearer(given))
        answer = app.open(mount=DIGEST, from_="base/app")
        assert answer.status == status


# What the registry asks for, and refuses.


ROBOT = {"username": "robot", "password": "s3cret:with:colons"}


def test_the_registry_is_asked_for_both_rights(tmp_path):
    with (TokenServer(tmp_path, **ROBOT, actions=ALL) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          writable(registry, routes=ROUTES[:3], **ROBOT) as gateway):
        source, app = (Repository(gateway.url, name) for name in ("base/app", "team/app"))
        source.push(DATA)
        tokens.forget()
        assert_mounted(app, app.open(mount=DIGEST, from_="base/app"))
        assert any({"repository:corp/base/app:pull", "repository:corp/apps/app:pull,push"}
                   <= set(request.scopes) for request in tokens.requests), tokens.requests


def test_a_registry_that_refuses_the_mount(tmp_path):
    """Its token service lets us write to the one and not read from the other."""
    owners = {"robot": (ROBOT["password"], "corp/apps/")}
    with (TokenServer(tmp_path, owners=owners, actions=ALL) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          writable(registry, routes=ROUTES[:3], **ROBOT) as gateway):
        app = Repository(gateway.url, "team/app")
        assert_begins(app, app.open(mount=DIGEST, from_="base/app"))


@pytest.mark.parametrize("status,code", [(401, "UNAUTHORIZED"), (403, "DENIED")])
def test_a_registry_that_says_no_to_a_mount(status, code):
    body = b'{"errors": [{"code": "%b", "message": "no"}]}' % code.encode()

    def refusing(answer, request):
        is_mount = "mount" in request.query
        made = failing(status, body, "application/json") if is_mount else failing(
            202, b"", "text/plain", {"Location": "/v2/corp/apps/app/blobs/uploads/1", "Range": "0-0"})
        return made(answer, request)

    with FaultyUpstream() as upstream, writable(upstream, routes=ROUTES[:3]) as gateway:
        upstream.fault("POST", "/blobs/uploads/", refusing)
        answer = Repository(gateway.url, "team/app").open(mount=DIGEST, from_="base/app")
        assert answer.status == 202
        assert ["mount" in each.query for each in upstream.seen("POST")] == [True, False]
