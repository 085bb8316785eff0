# SPDX-License-Identifier: Apache-2.0
"""Who may push and who may delete: what routes allow, rules, tokens and what the registry says."""

import json
from types import SimpleNamespace

import pytest
from testbed import fairlead, images
from testbed.checks import assert_error
from testbed.guarded import PASSWORDS
from testbed.http_request import basic
from testbed.issuers import HmacIssuer, access_to
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL, Repository, chunks, writable
from testbed.registry import Htpasswd, Registry, TokenAuth
from testbed.token_client import bearer, challenge, get_token, scope
from testbed.token_server import TokenServer

IMAGE = images.image([images.noise_layer("rights", 1000)])
ABSENT = images.sha256(b"absent")
WRITES = {
    "upload": ("POST", "blobs/uploads/", "push"),
    "mount": ("POST", f"blobs/uploads/?mount={IMAGE.blobs[0].digest}&from=open/app", "push"),
    "tag": ("PUT", "manifests/new", "push"),
    "digest": ("PUT", f"manifests/{IMAGE.digest}", "push"),
    "delete a tag": ("DELETE", "manifests/1", "delete"),
    "delete a manifest": ("DELETE", f"manifests/{IMAGE.digest}", "delete"),
    "delete a blob": ("DELETE", f"blobs/{IMAGE.blobs[0].digest}", "delete"),
}
SESSIONS = {f"{method} of an upload": (method, f"blobs/uploads/v4.local.AAAA?digest={ABSENT}", "push")
            for method in ("PATCH", "PUT", "DELETE")}
ROUTES = [{"match": "closed/", "to": "up/open/"},
          {"match": "pushed/", "to": "up/open/", "allow": ["pull", "push"]},
          {"match": "emptied/", "to": "up/open/", "allow": ["pull", "delete"]}]
KNOWN = {"alice": "pull", "bob": "pull,push", "carol": "pull,push,delete", "dave": "pull,delete"}


def rules(repositories):
    return [{"who": who, "repositories": repositories, "actions": actions.split(",")}
            for who, actions in KNOWN.items()]


def ask(gateway, name, write, headers=None):
    method, rest, _ = write
    app = Repository(gateway.url, name, headers)
    kind = {"Content-Type": IMAGE.media_type} if "manifests" in rest else {}
    return app.send(method, app.target(rest), IMAGE.manifest if method == "PUT" else None, kind)


def actions_asked(answer, name):
    """The actions of the challenge's scope, of just that repository."""
    assert_error(answer, 401, "UNAUTHORIZED")
    begin = f"repository:{name}:"
    found = challenge(answer)["scope"]
    assert found.startswith(begin), found
    return found.removeprefix(begin)


@pytest.fixture(scope="module")
def registry():
    with OciRegistry() as found:
        yield found


@pytest.fixture
def filled(registry):
    """With IMAGE in open/app, whatever was deleted there before."""
    Repository(registry.url, "open/app").push_image(IMAGE, "1")
    registry.forget()
    return registry


# Routes.


@pytest.fixture(scope="module")
def routed(registry):
    with writable(registry, routes=ROUTES) as gateway:
        yield gateway


@pytest.mark.parametrize("write", {**WRITES, **SESSIONS})
def test_what_a_route_does_not_allow(routed, filled, write):
    write = {**WRITES, **SESSIONS}[write]
    allowed = {"closed/app": ["pull"], "pushed/app": ["pull", "push"],
               "emptied/app": ["pull", "delete"]}
    for name in allowed:
        answer = ask(routed, name, write)
        if write[2] in allowed[name]:
            assert answer.status in (201, 202) or "v4.local" in write[1] and answer.status == 404
            Repository(filled.url, "open/app").push_image(IMAGE, "1")
        else:
            filled.forget()
            assert_error(answer, 403, "DENIED")
    filled.forget()
    assert_error(ask(routed, "closed/app", write), 403, "DENIED")
    assert filled.count() == 0


def test_what_is_not_allowed_is_refused_before_it_is_read(routed, filled):
    """Also where there is no such repository, and where nothing of it is right."""
    for write in WRITES.values():
        assert_error(ask(routed, "closed/gone", write), 403, "DENIED")
    app = Repository(routed.url, "closed/app")
    assert_error(app.put_manifest("1", b"nonsense"), 403, "DENIED")
    assert_error(app.open(mount="nonsense", from_="A/b"), 403, "DENIED")
    assert filled.count() == 0


def test_a_route_that_says_nothing_is_for_pulling(filled):
    with writable(filled, of_all={"allow": ["pull"]}) as gateway:
        app = Repository(gateway.url, "open/app")
        assert app.manifest("1").status == 200
        for write in WRITES.values():
            assert_error(ask(gateway, "open/app", write), 403, "DENIED")


# The anonymous.


@pytest.mark.parametrize("write", {**WRITES, **SESSIONS})
@pytest.mark.parametrize("anonymous", [[], ["pull"]], ids=["nothing", "pull"])
def test_who_is_anonymous_is_asked_to_log_in(filled, tmp_path, anonymous, write):
    write = {**WRITES, **SESSIONS}[write]
    users = str(htpasswd(tmp_path / "htpasswd", PASSWORDS))
    with writable(filled, auth={"anonymous": anonymous, "users": users}) as gateway:
        asked = actions_asked(ask(gateway, "open/app", write), "open/app")
        assert asked == ("pull,push" if write[2] == "push" else "delete")
        assert filled.count() == 0


def test_the_anonymous_of_a_route(filled):
    routes = [{"match": "free/", "to": "up/open/", "allow": ALL, "anonymous": ALL},
              {"match": "half/", "to": "up/open/", "allow": ALL, "anonymous": ["pull", "push"]}]
    with writable(filled, routes=routes, auth={"anonymous": ["pull"]}) as gateway:
        for write in WRITES.values():
            assert actions_asked(ask(gateway, "open/app", write), "open/app")
            expected = (401,) if write[2] == "delete" else (201, 202)
            assert ask(gateway, "half/app", write).status in expected
            assert ask(gateway, "free/app", write).status in (201, 202)
            Repository(filled.url, "open/app").push_image(IMAGE, "1")


# Users.


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    passwords = {who: f"{who}-has-a-password" for who in KNOWN}
    path = htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", passwords)
    return SimpleNamespace(path=str(path), all=passwords)


@pytest.fixture(scope="module")
def ruled(registry, users):
    auth = {"anonymous": ["pull"], "users": users.path, "rules": rules(["open/**"])}
    with writable(registry, auth=auth) as gateway:
        gateway.users = users.all
        yield gateway


@pytest.mark.parametrize("who", KNOWN)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("by", ["password", "token"])
def test_rules(ruled, filled, who, write, by):
    action = WRITES[write][2]
    user = (who, ruled.users[who])
    headers = {"Authorization": basic(*user)} if by == "password" else bearer(
        get_token(ruled, None, scope("open/app", "pull,push,delete"), user=user))
    if action in KNOWN[who]:
        assert ask(ruled, "open/app", WRITES[write], headers).status in (201, 202)
        names = ["else/app"]
    else:
        names = ["open/app", "else/app"]
    filled.forget()
    for name in names:
        answer = ask(ruled, name, WRITES[write], headers)
        if by == "password" or name == "open/app":
            assert_error(answer, 403, "DENIED")
        else:       # the token is for another repository
            assert actions_asked(answer, name) == ("pull,push" if action == "push" else "delete")
            assert challenge(answer)["error"] == "insufficient_scope"
    assert filled.count() == 0


def test_a_token_is_good_for_what_it_was_asked_for(ruled, filled):
    carol = ("carol", ruled.users["carol"])
    app = lambda actions: Repository(ruled.url, "open/app", bearer(  # noqa: E731
        get_token(ruled, None, scope("open/app", actions), user=carol)))
    assert actions_asked(app("pull").open(), "open/app") == "pull,push"
    assert actions_asked(app("pull,push").send("DELETE", "/v2/open/app/manifests/1"),
                         "open/app") == "delete"
    assert filled.count() == 0
    assert app("pull,push").open().status == 202
    assert app("delete").send("DELETE", "/v2/open/app/manifests/1").status == 202


def test_a_client_that_answers_challenges(ruled, filled):
    """As docker and containerd do: what the challenge asks for is enough for the whole push."""
    anonymous = Repository(ruled.url, "open/pushed")
    asked = challenge(anonymous.open())
    given = get_token(ruled, asked, user=("bob", ruled.users["bob"]))
    Repository(ruled.url, "open/pushed", bearer(given)).push_image(IMAGE, "1")
    assert anonymous.manifest("1").body == IMAGE.manifest


def test_who_may_only_pull_cannot_go_on_with_an_upload(ruled, filled):
    bob, alice = (Repository(ruled.url, "open/app", {"Authorization": basic(who, ruled.users[who])})
                  for who in ("bob", "alice"))
    at = bob.patch(bob.open(), b"begun")
    filled.forget()
    for answer in (alice.status(at), alice.patch(at, b"x"), alice.put(at, ABSENT), alice.cancel(at)):
        assert_error(answer, answer.status, "DENIED", "BLOB_UPLOAD_UNKNOWN")
        assert answer.status in (403, 404)
    assert filled.count() == 0
    assert bob.status(at).status == 204


ISSUER = HmacIssuer()


def test_access_lists_of_jwts(filled):
    with writable(filled, auth={"anonymous": [], "jwt": [ISSUER.entry()]}) as gateway:
        for actions in KNOWN.values():
            headers = bearer(ISSUER.token("ci", access=access_to("open/app", *actions.split(","))))
            for write in WRITES.values():
                if "from=" in write[1]:
                    continue
                answer = ask(gateway, "open/app", write, headers)
                if write[2] in actions:
                    assert answer.status in (201, 202)
                    Repository(filled.url, "open/app").push_image(IMAGE, "1")
                else:
                    assert_error(answer, answer.status, "DENIED", "UNAUTHORIZED")
                    assert answer.status in (401, 403)
                assert ask(gateway, "other/app", write, headers).status in (401, 403)


def test_a_jwt_that_was_renewed_goes_on_with_an_upload(filled):
    with writable(filled, auth={"anonymous": [], "jwt": [ISSUER.entry()]}) as gateway:
        def app(sub, **more):
            return Repository(gateway.url, "open/app", bearer(ISSUER.token(
                sub, access=access_to("open/app", "pull", "push"), **more)))

        sent = app("ci").patch(app("ci").open(), b"data")
        assert app("other").status(sent).status == 404
        assert app("ci", exp=900).put(sent, images.sha256(b"data")).status == 201


@pytest.mark.parametrize("route,status", [
    ({"deny": ["secret/**"]}, {403, 404}), ({"repositories": ["open/**"]}, {403, 404})])
def test_what_a_route_leaves_out(filled, route, status):
    with writable(filled, of_all=route) as gateway:
        for write in WRITES.values():
            answer = ask(gateway, "secret/app", write)
            assert answer.status in status
            assert_error(answer, answer.status, "DENIED", "NAME_UNKNOWN")
        assert filled.count() == 0
        assert ask(gateway, "open/app", WRITES["tag"]).status == 201


def test_a_capability_is_for_pulling(filled, tmp_path):
    name = "0ebb01be-0a22-4639-898c-bc8c2d20942d/app"
    route = {"match": name, "to": "up/open/app", "capability": True}
    with writable(filled, routes=[route]) as gateway:
        assert Repository(gateway.url, name).manifest("1").status == 200
        filled.forget()
        for write in WRITES.values():
            answer = ask(gateway, name, write)
            assert answer.status >= 400 and b"open/app" not in answer.body
        assert not [method for method, _, _ in filled.seen() if method != "GET"]
        path = tmp_path / "fairlead.yaml"
        path.write_text(json.dumps({**gateway.config, "routes": [route | {"allow": ALL}]}))
        done = fairlead.run("check", "--config", path)
        assert done.returncode == 1 and "routes[0]" in done.stdout + done.stderr


# What the registry wants.


ROBOT = {"username": "robot", "password": "s3cret:with:colons"}


def test_a_registry_with_a_password():
    with (Registry(auth=Htpasswd(**ROBOT)) as registry,
          writable(registry, **ROBOT) as gateway):
        app = Repository(gateway.url, "open/app")
        app.push_image(IMAGE, "1")
        assert app.manifest("1").body == IMAGE.manifest
        assert app.send("DELETE", app.target(f"manifests/{IMAGE.digest}")).status == 202


@pytest.mark.parametrize("kind", ["password", "tokens"])
def test_a_worker_that_has_not_logged_in_yet(tmp_path, kind):
    """A body that comes first on a worker finds no login there: it is not sent before there is one.
    docker-registry takes a short or chunked body before it says 401, whatever is expected of it."""
    with TokenServer(tmp_path, **ROBOT, actions=ALL) as tokens:
        auth = Htpasswd(**ROBOT) if kind == "password" else TokenAuth(tokens)
        with (Registry(auth=auth) as registry,
              writable(registry, server={"workers": 8}, **ROBOT) as gateway):
            for number in range(12):
                data = b"%d" % number * 1000
                app = Repository(gateway.url, f"open/app{number}")
                answer = app.put(app.open(), images.sha256(data), data)
                assert answer.status == 201, answer.body
                sent = app.patch(app.open(), chunks(data))
                assert sent.status == 202, sent.body
                assert app.put(sent, images.sha256(data)).status == 201


def test_a_registry_with_tokens(tmp_path):
    """It is asked for what is needed, under its own name for it."""
    routes = [{"match": "team/", "to": "up/corp/", "allow": ALL}]
    with (TokenServer(tmp_path, **ROBOT, actions=ALL) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          writable(registry, routes=routes, **ROBOT) as gateway):
        app = Repository(gateway.url, "team/app")
        app.push_image(IMAGE, "1")
        pushing = {entry for request in tokens.requests for entry in request.scopes}
        assert pushing <= {"repository:corp/app:pull", "repository:corp/app:pull,push",
                           "repository:corp/app:push,pull"}
        assert any("push" in entry for entry in pushing)
        assert app.send("DELETE", app.target(f"manifests/{IMAGE.digest}")).status == 202
        assert any("delete" in entry for request in tokens.requests for entry in request.scopes)


def test_a_registry_that_lets_us_only_pull(tmp_path):
    """Its 401 to us is no 401 for the client: there is nothing that he could do about it."""
    with (TokenServer(tmp_path, **ROBOT, actions=["pull"]) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          writable(registry, **ROBOT) as gateway):
        for write in WRITES.values():
            answer = ask(gateway, "open/app", write)
            assert_error(answer, 403, "DENIED")
            assert answer.headers["WWW-Authenticate"] is None


def test_a_registry_that_does_not_know_us():
    with (Registry(auth=Htpasswd(**ROBOT)) as registry,
          writable(registry, **(ROBOT | {"password": "wrong"})) as gateway):
        for write in WRITES.values():
            assert_error(ask(gateway, "open/app", write), 403, "DENIED")


# Relayed: whoever may at the registry.


ALICE, BOB = ("alice", "alice's: upstream pass"), ("bob", "bob-has-another")


@pytest.fixture
def relayed(tmp_path):
    owners = {ALICE[0]: (ALICE[1], "team/"), BOB[0]: (BOB[1], "other/")}
    with (TokenServer(tmp_path, owners=owners, anonymous="public/", actions=ALL) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          writable(registry, credentials="relay") as gateway):
        gateway.registry, gateway.tokens = registry, tokens
        yield gateway


def test_relayed_callers_push_what_is_theirs(relayed):
    for user, mine, others in ((ALICE, "team/app", "other/app"), (BOB, "other/app", "team/app")):
        asked = challenge(Repository(relayed.url, mine).open())
        assert asked["scope"] == scope(mine, "pull,push")
        headers = bearer(get_token(relayed, asked, user=user))
        Repository(relayed.url, mine, headers).push_image(IMAGE, "1")
        for name in (others, "public/app"):
            given = get_token(relayed, None, scope(name, "pull,push"), user=user)
            if given.status != 200:
                continue
            relayed.registry.forget()
            answer = Repository(relayed.url, name, bearer(given)).open()
            assert_error(answer, answer.status, "DENIED", "UNAUTHORIZED")
            assert answer.status in (401, 403)
            assert relayed.registry.count("POST", status=202) == 0


def test_a_relayed_caller_goes_on_with_another_token(relayed):
    """Tokens are good for minutes, uploads may take hours. It is his upload and nobody else's."""
    at = None
    for user, status in ((ALICE, 202), (ALICE, 202), (BOB, 404), (ALICE, 202)):
        given = get_token(relayed, None, scope("team/app", "pull,push"), user=user)
        app = Repository(relayed.url, "team/app", bearer(given))
        answer = app.patch(at or app.open(), b"data")
        assert answer.status == status or user == BOB and answer.status in (401, 403)
        at = answer if answer.status == 202 else at
    assert app.put(at, images.sha256(b"data" * 3)).status == 201


def test_relayed_callers_delete_what_is_theirs(relayed):
    headers = bearer(get_token(relayed, None, scope("team/app", "pull,push,delete"), user=ALICE))
    app = Repository(relayed.url, "team/app", headers)
    app.push_image(IMAGE, "1")
    assert app.send("DELETE", app.target(f"manifests/{IMAGE.digest}")).status == 202
    assert app.manifest("1").status == 404


def test_a_relayed_anonymous_caller_pushes_nothing(relayed):
    for name in ("public/app", "team/app"):
        assert actions_asked(Repository(relayed.url, name).open(), name) == "pull,push"
        given = get_token(relayed, None, scope(name, "pull,push"))
        if given.status == 200:
            answer = Repository(relayed.url, name, bearer(given)).open()
            assert answer.status in (401, 403), json.loads(answer.body)
    assert relayed.registry.count("POST", status=202) == 0
