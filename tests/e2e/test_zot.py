# SPDX-License-Identifier: Apache-2.0
"""zot as the upstream: what it shows everybody, and what it shows who logs in, for every client.

zot answers the ping with 200 where something is open to all, so that docker itself would never
log in to it; the gateway's own ping asks. All of it is run with a stand-in, and with zot itself
too where that is installed; what both answer without a gateway is looked at first.
"""

from contextlib import ExitStack

import pytest
from testbed import images, zot
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.guarded import NOT_ALLOWED
from testbed.http_request import basic, fetch
from testbed.logins import ALL, docker_login
from testbed.token_client import ACCEPT, bearer, blob, get, get_token, manifest, scope
from testbed.token_server import TokenServer
from testbed.zot import ANYBODY, Zot, only
from testbed.zot_stand_in import ZotStandIn

ALICE, BOB = ("alice", "alice's: zot pass"), ("bob", "bob-has-another")
WRONG = (ALICE[0], "wrong")
NAME = "upstream.test"
GUESTS = {"anonymousPolicy": ["read"]}      # for zot, who has logged in is no guest
POLICIES = {"public/**": ANYBODY, "team/**": only("alice"), "other/**": only("bob"),
            "guests/**": GUESTS}
OWNERS = {ALICE[0]: (ALICE[1], "team/"), BOB[0]: (BOB[1], "other/")}
every_way = pytest.mark.parametrize("way", ALL.values(), ids=ALL.keys())
every_kind = pytest.mark.parametrize("kind", ["passwords", "tokens"])


@pytest.fixture(scope="module")
def held():
    return {name: images.image([images.busybox_layer(), images.noise_layer(f"zot-{number}", 5000)])
            for number, name in enumerate(("public/app", "team/app", "other/app", "guests/app"))}


@pytest.fixture(scope="module", params=["stand-in", *([] if zot.missing_reason() else ["zot"])])
def servers(request, held, tmp_path_factory):
    """`servers["passwords"]` and `servers["tokens"]`: one with a password file, one that takes the
    tokens of `servers["token server"]`."""
    if request.param == "zot" and zot.missing_reason():
        pytest.skip(zot.missing_reason())
    make = {"stand-in": ZotStandIn, "zot": Zot}[request.param]
    with ExitStack() as stack:
        tokens = stack.enter_context(TokenServer(tmp_path_factory.mktemp("tokens"), owners=OWNERS,
                                                 anonymous="public/"))
        made = {"passwords": make(users=dict([ALICE, BOB]), policies=POLICIES),
                "tokens": make(tokens=tokens)}
        for server in made.values():
            stack.enter_context(server)
            for name, content in held.items():
                server.put(name, content, "1")
        yield made | {"token server": tokens}


@pytest.fixture(scope="module", params=["passwords", "tokens"])
def gateway(request, servers):
    """A gateway that relays to zot, with its password file or its token server."""
    with Fairlead(configuration(servers[request.param], credentials="relay")) as running:
        running.kind = request.param
        yield running


def configuration(server, **settings):
    return {"registries": {NAME: {"url": server.url} | settings},
            "routes": [{"match": f"{NAME}/", "to": f"{NAME}/"}, {"namespace": "*", "to": "{1}/"}]}


def statuses(gateway, repository, image, user=None):
    path = f"{NAME}/{repository}"
    targets = [manifest(path), manifest(path, image.digest),
               *(blob(path, each.digest) for each in image.blobs)]
    return {get(gateway, target, user=user).status for target in targets}


# Without the gateway.


def ask(server, target, user=None, headers=None):
    credentials = {"Authorization": basic(*user)} if user else {}
    return fetch(server.url, target, headers={"Accept": ACCEPT} | credentials | (headers or {}))


# Named here, so that where zot is not installed one line says so.
@pytest.mark.parametrize("servers", ["stand-in", "zot"], indirect=True)
def test_zot_with_passwords(servers):
    server, public, team = servers["passwords"], manifest("public/app"), manifest("team/app")
    for user in (None, ("", ""), ALICE, BOB):
        ping = ask(server, "/v2/", user)
        assert ping.status == 200
        assert ping.headers["WWW-Authenticate"].startswith("basic realm=")
        assert ask(server, public, user).status == 200
    for target in ("/v2/", public, team, manifest("public/none")):
        for headers in ({"Authorization": basic(*WRONG)}, bearer("x.y.z")):
            refused = ask(server, target, headers=headers)
            assert refused.status == 401
            assert refused.headers["WWW-Authenticate"] == 'Basic realm="Authorization Required"'
    for target in (team, manifest("team/none"), manifest("nobodys/app")):
        refused = ask(server, target)
        assert_error(refused, 401, "UNAUTHORIZED")
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")
        assert_error(ask(server, target, BOB), 403, "DENIED")
    assert ask(server, team, ALICE).status == 200


def test_zot_with_tokens(servers):
    server, tokens, team = servers["tokens"], servers["token server"], manifest("team/app")

    def asked(wanted):
        return f'Bearer realm="{tokens.realm}",service="{tokens.service}",scope="{wanted}"'

    def holding(name, **times):
        access = [{"type": "repository", "name": name, "actions": ["pull"]}]
        return bearer(tokens.signed("alice", access, **times))

    for target, wanted in (("/v2/", ""), (team, scope("team/app"))):
        refused = ask(server, target)
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, asked(wanted))
    assert ask(server, "/v2/", headers=holding("other/app")).status == 200
    assert ask(server, team, headers=holding("team/app")).status == 200
    less = ask(server, team, headers=holding("other/app"))
    assert (less.status, less.headers["WWW-Authenticate"]) == (401, asked(scope("team/app")))
    expired, forged = holding("team/app", now=1_000_000_000), holding("team/app")
    forged["Authorization"] = forged["Authorization"][:-8] + "AAAAAAAA"
    for headers in (expired, forged, bearer("x.y.z"), {"Authorization": basic(*ALICE)}):
        for target in ("/v2/", team):
            refused = ask(server, target, headers=headers)
            assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, None)


@pytest.mark.parametrize("servers", ["stand-in"], indirect=True)
def test_why_docker_needs_the_gateway(servers, all_clients, held):
    """Only as zot was before 2.1.16; later ones look at the User-Agent."""
    server = servers["passwords"]
    with docker_login(all_clients["docker"], server.host, *ALICE) as docker:
        assert held["public/app"].digest in docker.pull(server.host, "public/app", "1")
        with pytest.raises(AssertionError, match="unauthorized"):
            docker.pull(server.host, "team/app", "1")
    found = ALL["podman login"].pull(all_clients, server.host, "team/app", "1", *ALICE)
    assert held["team/app"].digest in found


# Through it.


def test_what_zot_shows_all(gateway, held):
    assert statuses(gateway, "public/app", held["public/app"]) == {200}


def test_who_logs_in_is_a_user_to_zot(servers):
    """Also for what is in the cache, since anybody could have it."""
    public, guests = f"{NAME}/public/app", f"{NAME}/guests/app"
    with Fairlead(configuration(servers["passwords"], credentials="relay")) as gateway:
        for repository in (public, guests):
            assert get(gateway, manifest(repository)).status == 200
        gateway.wait_until_idle()
        alice = bearer(get_token(gateway, None, scope(public), scope(guests), user=ALICE))
        assert fetch(gateway.url, manifest(public), headers=alice).status == 200
        assert fetch(gateway.url, manifest(guests), headers=alice).status in NOT_ALLOWED


def test_each_sees_what_zot_shows_him(gateway, held):
    denied = {"passwords": {403}, "tokens": {*NOT_ALLOWED}}[gateway.kind]
    for user, mine, others in ((ALICE, "team/app", "other/app"), (BOB, "other/app", "team/app")):
        assert statuses(gateway, mine, held[mine], user) == {200}
        assert statuses(gateway, others, held[others], user) <= denied
    for private in ("team/app", "other/app"):       # in the cache by now
        assert statuses(gateway, private, held[private]) == {401}


def test_a_wrong_password(gateway):
    """It is wrong also for what would be shown without any."""
    for scopes in ([], [scope(f"{NAME}/team/app")], [scope(f"{NAME}/public/app")]):
        answer = get_token(gateway, {"service": gateway.host}, *scopes, user=WRONG,
                           source="127.0.0.7")
        assert_error(answer, 401, "UNAUTHORIZED")


def test_the_ping_asks(gateway):
    assert fetch(gateway.url, "/v2/").status == 401


@every_way
def test_clients_log_in(gateway, all_clients, held, way):
    found = way.pull(all_clients, gateway.host, f"{NAME}/team/app", "1", *ALICE)
    assert held["team/app"].digest in found


@every_way
def test_clients_log_in_as_somebody_else(gateway, all_clients, way):
    with pytest.raises(AssertionError, match="exit code"):
        way.pull(all_clients, gateway.host, f"{NAME}/team/app", "1", *BOB)


@pytest.mark.parametrize("client", ["docker", "containerd", "podman", "buildah", "skopeo"],
                         indirect=True)
def test_clients_pull_what_is_open(gateway, client, held):
    assert held["public/app"].digest in client.pull(gateway.host, f"{NAME}/public/app", "1")
    with pytest.raises(AssertionError, match="exit code"):
        client.pull(gateway.host, f"{NAME}/team/app", "1")


def test_docker_is_told_what_the_matter_is(gateway, all_clients):
    docker = all_clients["docker"]
    with pytest.raises(AssertionError, match="unauthorized"):
        docker.pull(gateway.host, f"{NAME}/team/app", "1")
    words = {"passwords": "denied", "tokens": "unauthorized|denied"}[gateway.kind]
    with docker_login(docker, gateway.host, *BOB):
        with pytest.raises(AssertionError, match=words):
            docker.pull(gateway.host, f"{NAME}/team/app", "1")
    with pytest.raises(AssertionError, match="(?s)Error response.*unauthorized"):
        docker.run("login", "--username", WRONG[0], "--password", WRONG[1], gateway.host)


@every_way
@every_kind
def test_clients_with_a_wrong_password(servers, all_clients, way, kind):
    with Fairlead(configuration(servers[kind], credentials="relay")) as gateway:
        with pytest.raises(AssertionError, match="exit code"):
            way.pull(all_clients, gateway.host, f"{NAME}/team/app", "1", *WRONG)


@every_kind
def test_with_a_password_that_the_gateway_has(servers, held, kind):
    settings = {"username": ALICE[0], "password": ALICE[1]}
    with Fairlead(configuration(servers[kind], **settings)) as gateway:
        assert statuses(gateway, "team/app", held["team/app"]) == {200}
        assert statuses(gateway, "other/app", held["other/app"]) <= {*NOT_ALLOWED, 404}


@every_kind
def test_without_any(servers, held, kind):
    with Fairlead(configuration(servers[kind])) as gateway:
        assert statuses(gateway, "public/app", held["public/app"]) == {200}
        assert statuses(gateway, "team/app", held["team/app"]) <= {*NOT_ALLOWED, 404}
