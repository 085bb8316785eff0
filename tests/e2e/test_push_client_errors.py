# SPDX-License-Identifier: Apache-2.0
"""What the user of a client is told when a push is refused: by us, by the registry, or because the
registry is away. In words that mean something, and never in the registry's own pages, with its
names or with anybody's secrets."""

import re
import secrets
import threading

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.clients import CommandFailed
from testbed.contents import contents, headers_of
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.logins import docker_login
from testbed.passwords import htpasswd
from testbed.push_targets import EVERYTHING, ROBOT, configuration, routes, small, under  # noqa: F401
from testbed.pushing import ALL
from testbed.registry import Htpasswd, Registry, TokenAuth
from testbed.token_server import TokenServer
from testbed.upstream_faults import HTML, failing
from testbed.upstream_uploads import problem
from testbed.writable_upstream import WritableUpstream

ALICE = ("alice", "alice-may-push")
BOB = ("bob", "bob-may-only-pull")
CLIENTS = {"docker": "docker push", "podman": "podman push", "buildah": "buildah push",
           "skopeo": "skopeo copy", "ctr": "ctr push"}
DENIED = r"denied|403 \(?Forbidden"
TELLS_OUR_WORDS = ("docker", "podman", "buildah", "skopeo")     # ctr tells the status

every_client = pytest.mark.parametrize("client", CLIENTS)
# docker waits for up to a minute before it gives up what may get better.
patient = pytest.mark.parametrize("client", [name for name in CLIENTS if name != "docker"])


@pytest.fixture
def path():
    return f"apps/{secrets.token_hex(4)}/web"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """alice may push, bob may pull, and nobody else may anything; the registry wants a password."""
    users = htpasswd(tmp_path_factory.mktemp("users") / "users", dict([ALICE, BOB]))
    auth = {"users": str(users), "anonymous": [], "rules": [
        {"who": "alice", "repositories": ["apps/**"], "actions": EVERYTHING},
        {"who": "bob", "repositories": ["apps/**"], "actions": ["pull"]}]}
    with (Registry(auth=Htpasswd(**ROBOT)) as registry,
          Fairlead(configuration(registry, auth, **ROBOT)) as gateway):
        gateway.registry = registry
        yield gateway


@pytest.fixture
def upstream():
    with WritableUpstream() as running:
        yield running


@pytest.fixture
def gateway(upstream):
    settings = configuration(upstream, timeouts={"connect": "1s", "first_byte": "2s"}, **ROBOT)
    with Fairlead(settings) as running:
        yield running


def failed_push(all_clients, client, image, gateway, path, user=None):
    """What the client said; it must have failed."""
    with pytest.raises(CommandFailed) as caught:
        ALL[CLIENTS[client]].push_anew(all_clients, image, gateway.host, path, "1.0", user)
    assert caught.value.code != 0
    return caught.value.said


def assert_discreet(said, registry, user=None):
    """Nothing that is not the client's business. `registry` is what has a `host`."""
    assert "<html" not in said.lower() and "own words" not in said, said
    assert registry.host not in said and under("apps") not in said, said
    for secret in (*ROBOT.values(), *([user[1]] if user else [])):
        assert secret not in said, said


def message_of(answer):
    return re.search(r'"message":\s*"([^"]*)"', answer.body.decode())[1]


def start_upload(gateway, path, headers=None):
    """What a client is answered that begins to push."""
    return fetch(gateway.url, f"/v2/{path}/blobs/uploads/", method="POST", headers=headers)


# -- refused by us ----------------------------------------------------------------------------


@every_client
def test_no_right_to_push(guarded, all_clients, small, client, path):
    said = failed_push(all_clients, client, small, guarded, path, BOB)
    assert re.search(DENIED, said), said
    assert_discreet(said, guarded.registry, BOB)
    answer = start_upload(guarded, path, headers_of(guarded, BOB, path, "pull,push"))
    assert_error(answer, 403, "DENIED")
    if client in TELLS_OUR_WORDS and "denied:" in said:
        assert message_of(answer) in said
    assert guarded.registry.requests("POST") == [], "the registry was asked"


def test_docker_says_denied(guarded, all_clients, small, path):
    said = failed_push(all_clients, "docker", small, guarded, path, BOB)
    assert "denied: " in said, said


@every_client
def test_not_logged_in(guarded, all_clients, small, client, path):
    guarded.registry.forget()
    said = failed_push(all_clients, client, small, guarded, path)
    assert re.search(r"unauthorized|authentication required|no basic auth|401|authorization failed|denied",
                     said), said
    assert_discreet(said, guarded.registry)
    assert guarded.registry.requests() == [], "the registry was asked"
    answer = start_upload(guarded, path)
    assert_error(answer, 401, "UNAUTHORIZED")
    challenges = answer.headers.get_all("WWW-Authenticate")
    assert len(challenges) == 1 and f'scope="repository:{path}:pull,push"' in challenges[0]


@every_client
def test_wrong_password(all_clients, small, client, path, tmp_path):
    users = htpasswd(tmp_path / "users", dict([ALICE]))
    wrong = (ALICE[0], "not-her-password")
    with (Registry() as registry,
          Fairlead(configuration(registry, {"users": str(users), "anonymous": []})) as gateway):
        said = failed_push(all_clients, client, small, gateway, path, wrong)
        assert re.search(r"unauthorized|invalid username/password|401", said), said
        assert_discreet(said, registry, wrong)
        assert registry.requests() == []


@every_client
def test_a_name_that_no_route_leads_to(gateway, all_clients, small, client):
    said = failed_push(all_clients, client, small, gateway, f"nowhere/{secrets.token_hex(4)}")
    assert re.search(r"name unknown|repository name not known|404|not found", said, re.IGNORECASE), said
    assert_error(start_upload(gateway, "nowhere/app"), 404, "NAME_UNKNOWN")


@every_client
def test_a_route_that_is_read_only(all_clients, small, client, path):
    route_list = routes(allow=["pull"])
    with Registry() as registry, Fairlead(configuration(registry, route_list=route_list)) as gateway:
        said = failed_push(all_clients, client, small, gateway, path)
        assert re.search(DENIED, said), said
        assert_discreet(said, registry)
        answer = start_upload(gateway, path)
        assert_error(answer, 403, "DENIED")
        if client in TELLS_OUR_WORDS:
            assert message_of(answer) in said
        assert "read-only" in message_of(answer)
        assert registry.requests("POST") == registry.requests("PUT") == []


def test_a_route_that_is_read_only_for_who_may(guarded, path, tmp_path):
    """401 comes before 403: a stranger does not learn what the route allows."""
    users = htpasswd(tmp_path / "users", dict([ALICE]))
    auth = {"users": str(users), "anonymous": []}
    with (Registry() as registry,
          Fairlead(configuration(registry, auth, routes(allow=["pull"]))) as gateway):
        assert_error(start_upload(gateway, path), 401, "UNAUTHORIZED")
        headers = headers_of(gateway, ALICE, path, "pull,push")
        assert_error(start_upload(gateway, path, headers), 403, "DENIED")


# -- refused by the registry ------------------------------------------------------------------


@patient
def test_the_registry_is_away(upstream, gateway, all_clients, small, client, path):
    upstream.stop()
    said = failed_push(all_clients, client, small, gateway, path)
    assert re.search(r"50[24]|unavailable", said, re.IGNORECASE), said
    assert_discreet(said, upstream)
    for answer in (start_upload(gateway, path),
                   fetch(gateway.url, f"/v2/{path}/manifests/1.0", method="PUT", body=b"{}",
                         headers={"Content-Type": small.one.media_type})):
        assert answer.status in (502, 504)
        assert_error(answer, answer.status, "UNAVAILABLE")
        assert_discreet(answer.body.decode(), upstream)


# The others try again too often to be waited for.
@pytest.mark.parametrize("client", ["skopeo", "ctr"])
def test_the_registry_has_had_enough(upstream, gateway, all_clients, small, client, path):
    wait = {"skopeo": "1", "ctr": "37"}[client]     # skopeo waits for so long, several times
    upstream.fault("POST", "/blobs/uploads/", failing(429, headers={"Retry-After": wait}))
    said = failed_push(all_clients, client, small, gateway, path)
    assert re.search(r"429|toomanyrequests", said, re.IGNORECASE), said
    assert_discreet(said, upstream)
    upstream.heal()
    ALL[CLIENTS[client]].push_anew(all_clients, small, gateway.host, path, "1.0")


def test_when_to_come_again(upstream, gateway, path):
    upstream.fault("POST", "/blobs/uploads/", failing(429, headers={"Retry-After": "37"}))
    answer = start_upload(gateway, path)
    assert_error(answer, 429, "TOOMANYREQUESTS")
    assert answer.headers["Retry-After"] == "37"
    assert_discreet(answer.body.decode(), upstream)


@every_client
def test_the_registry_refuses_the_manifest(upstream, gateway, all_clients, small, client, path):
    """Its code and its words arrive, with our names in place of its own."""
    words = f"no signature in {under(path)}, not even one"
    upstream.fault("PUT", "/manifests/", lambda *_: problem(400, "MANIFEST_INVALID", words))
    said = failed_push(all_clients, client, small, gateway, path)
    assert re.search(r"manifest invalid|MANIFEST_INVALID|400 Bad Request", said), said
    if client in TELLS_OUR_WORDS:
        assert f"no signature in {path}, not even one" in said
    assert_discreet(said, upstream)
    answer = fetch(gateway.url, f"/v2/{path}/manifests/1.0", method="PUT", body=small.one.manifest,
                   headers={"Content-Type": small.one.media_type})
    assert_error(answer, 400, "MANIFEST_INVALID")
    assert message_of(answer) == f"no signature in {path}, not even one"


@every_client
def test_the_registry_wants_other_credentials(all_clients, small, client, path):
    """The gateway's own are wrong: nothing that the user could mend by logging in."""
    with (Registry(auth=Htpasswd("other", "entirely")) as registry,
          Fairlead(configuration(registry, **ROBOT)) as gateway):
        said = failed_push(all_clients, client, small, gateway, path)
        assert re.search(DENIED, said), said
        assert_discreet(said, registry)
        answer = start_upload(gateway, path)
        assert_error(answer, 403, "DENIED")
        assert answer.headers["WWW-Authenticate"] is None


@every_client
@pytest.mark.parametrize("kind", ["may only pull", "wrong password"])
def test_relayed_to_a_registry_that_refuses(all_clients, small, client, path, kind, tmp_path):
    actions = ["pull"] if kind == "may only pull" else EVERYTHING
    user = BOB if kind == "may only pull" else (BOB[0], "not-his-password")
    with (TokenServer(tmp_path / "tokens", username=BOB[0], password=BOB[1], actions=actions) as tokens,
          Registry(auth=TokenAuth(tokens)) as registry,
          Fairlead(configuration(registry, {"anonymous": []}, credentials="relay")) as gateway):
        said = failed_push(all_clients, client, small, gateway, path, user)
        assert re.search(DENIED + "|unauthorized|invalid username/password|401", said), said
        assert_discreet(said, registry, user)
        assert registry.requests("PATCH") == [] and registry.requests("PUT") == []
        assert len(tokens.requests) < 40, "it is tried again and again"


@pytest.mark.parametrize("status, expected", [(403, {403}), (413, {413}), (500, {502}), (503, {502})])
def test_a_page_of_the_registry_reaches_nobody(upstream, gateway, all_clients, small, path, status,
                                               expected):
    upstream.fault("PUT", "/manifests/", failing(status, HTML))
    said = failed_push(all_clients, "skopeo", small, gateway, path)
    assert str(next(iter(expected))) in said or "denied" in said or "SIZE_INVALID" in said.upper(), said
    assert_discreet(said, upstream)
    answer = fetch(gateway.url, f"/v2/{path}/manifests/1.0", method="PUT", body=small.one.manifest,
                   headers={"Content-Type": small.one.media_type})
    assert answer.status in expected
    assert_error(answer, answer.status, "DENIED", "SIZE_INVALID", "UNAVAILABLE")
    assert_discreet(answer.body.decode(), upstream)


def test_docker_outlasts_a_restart_of_the_registry(all_clients, small, path):
    """What passes is told as what passes: docker tries again after five seconds."""
    docker = all_clients["docker"]
    with Registry() as registry:
        with Fairlead(configuration(registry, timeouts={"connect": "1s"})) as gateway:
            registry.stop()
            back = threading.Timer(3, registry.start)
            back.start()
            digest = docker.push(docker.load(small), gateway.host, path, "1.0")
            back.join()
            assert gateway.records(status=502) or gateway.records(status=504)
            assert next(iter(contents(registry, under(path), "1.0"))) == digest


def test_a_page_that_says_200_is_no_yes(upstream, gateway, path):
    """As a portal answers that wants somebody to log in: nothing is taken for pushed, or kept; what
    there is, the registry is asked."""
    layer = b"a layer that is not there"
    upstream.fault("PUT", "/(manifests|uploads)/", failing(200, HTML))
    content = images.image([images.noise_layer(path, 100)])
    written = fetch(gateway.url, f"/v2/{path}/manifests/1.0", method="PUT", body=content.manifest,
                    headers={"Content-Type": content.media_type})
    begun = start_upload(gateway, path).headers["Location"]
    sent = fetch(gateway.url, f"{begun}?digest={images.sha256(layer)}", method="PUT", body=layer)
    for answer in (written, sent):
        assert_error(answer, 502, "UNAVAILABLE")
        assert_discreet(answer.body.decode(), upstream)
    assert not gateway.records(outcome="push")
    for target in (f"manifests/{content.digest}", f"blobs/{images.sha256(layer)}"):
        asked = len(upstream.seen("GET", target.rpartition("/")[2]))
        fetch(gateway.url, f"/v2/{path}/{target}", headers={"Accept": content.media_type})
        assert len(upstream.seen("GET", target.rpartition("/")[2])) == asked + 1


def test_docker_gives_up_at_once_what_is_refused(guarded, all_clients, small, path):
    """It would try five times, and be silent for a minute, if it took this for a passing fault."""
    before = len(guarded.records(method="POST"))
    with docker_login(all_clients["docker"], guarded.host, *BOB) as docker:
        with pytest.raises(CommandFailed):
            docker.push(docker.load(small), guarded.host, path, "1.0")
    layers = len(small.one.blobs)
    assert len([record for record in guarded.records(method="POST")[before:]
                if "/blobs/uploads/" in record.target]) <= layers
