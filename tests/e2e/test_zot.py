# SPDX-License-Identifier: Apache-2.0
"""zot as the upstream: what it shows everybody, and what it shows who logs in, for every client.

zot answers the ping with 200 where something is open to all, so that docker itself would never
log in to it; the gateway's own ping asks.
"""

import pytest
from testbed import images, zot
from testbed.fairlead import Fairlead
from testbed.guarded import NOT_ALLOWED
from testbed.http_request import fetch
from testbed.logins import ALL
from testbed.token_client import blob, get, get_token, manifest
from testbed.token_server import TokenServer
from testbed.zot import ANYBODY, Zot, only

if zot.missing_reason():
    pytest.skip(zot.missing_reason(), allow_module_level=True)

ALICE, BOB = ("alice", "alice's: zot pass"), ("bob", "bob-has-another")
NAME = "upstream.test"
every_way = pytest.mark.parametrize("way", ALL.values(), ids=ALL.keys())


@pytest.fixture(scope="module")
def held():
    return {name: images.image([images.busybox_layer(), images.noise_layer(f"zot-{number}", 5000)])
            for number, name in enumerate(("public/app", "team/app", "other/app"))}


@pytest.fixture(scope="module")
def with_passwords(held):
    policies = {"public/**": ANYBODY, "team/**": only("alice"), "other/**": only("bob")}
    with Zot(users=dict([ALICE, BOB]), policies=policies) as server:
        for name, content in held.items():
            server.put(name, content, "1")
        yield server


@pytest.fixture(scope="module")
def with_tokens(held, tmp_path_factory):
    owners = {ALICE[0]: (ALICE[1], "team/"), BOB[0]: (BOB[1], "other/")}
    with (TokenServer(tmp_path_factory.mktemp("tokens"), owners=owners,
                      anonymous="public/") as tokens, Zot(tokens=tokens) as server):
        for name, content in held.items():
            server.put(name, content, "1")
        yield server


@pytest.fixture(scope="module", params=["with_passwords", "with_tokens"])
def gateway(request):
    """A gateway that relays to zot, with its password file or its token server."""
    server = request.getfixturevalue(request.param)
    with Fairlead(configuration(server, credentials="relay")) as running:
        yield running


def configuration(server, **settings):
    return {"registries": {NAME: {"url": server.url} | settings},
            "routes": [{"match": f"{NAME}/", "to": f"{NAME}/"}, {"namespace": "*", "to": "{1}/"}]}


def statuses(gateway, repository, image, user=None):
    path = f"{NAME}/{repository}"
    targets = [manifest(path), manifest(path, image.digest),
               *(blob(path, each.digest) for each in image.blobs)]
    return {get(gateway, target, user=user).status for target in targets}


def test_what_zot_shows_all(gateway, held):
    assert statuses(gateway, "public/app", held["public/app"]) == {200}


def test_each_sees_what_zot_shows_him(gateway, held):
    for user, mine, others in ((ALICE, "team/app", "other/app"), (BOB, "other/app", "team/app")):
        assert statuses(gateway, mine, held[mine], user) == {200}
        assert statuses(gateway, others, held[others], user) <= {*NOT_ALLOWED, 404}
    for private in ("team/app", "other/app"):       # in the cache by now
        assert statuses(gateway, private, held[private]) <= {*NOT_ALLOWED, 404}


def test_a_wrong_password(gateway, held):
    answer = get_token(gateway, {"service": gateway.host}, user=("alice", "wrong"),
                       source="127.0.0.7")
    assert answer.status == 401
    assert get(gateway, manifest(f"{NAME}/team/app"), user=("alice", "wrong"),
               source="127.0.0.7").status in NOT_ALLOWED


def test_the_ping_asks(gateway):
    assert fetch(gateway.url, "/v2/").status == 401


@every_way
def test_clients_log_in(gateway, all_clients, held, way):
    found = way.pull(all_clients, gateway.host, f"{NAME}/team/app", "1", *ALICE)
    assert held["team/app"].digest in found


@pytest.mark.parametrize("client", ["docker", "containerd", "podman", "buildah", "skopeo"],
                         indirect=True)
def test_clients_pull_what_is_open(gateway, client, held):
    assert held["public/app"].digest in client.pull(gateway.host, f"{NAME}/public/app", "1")
    with pytest.raises(AssertionError, match="exit code"):
        client.pull(gateway.host, f"{NAME}/team/app", "1")


@every_way
def test_clients_with_a_wrong_password(with_passwords, all_clients, way):
    with Fairlead(configuration(with_passwords, credentials="relay")) as gateway:
        with pytest.raises(AssertionError, match="exit code"):
            way.pull(all_clients, gateway.host, f"{NAME}/team/app", "1", ALICE[0], "wrong")


@pytest.mark.parametrize("kind", ["with_passwords", "with_tokens"])
def test_with_a_password_that_the_gateway_has(request, held, kind):
    server = request.getfixturevalue(kind)
    settings = {"username": ALICE[0], "password": ALICE[1]}
    with Fairlead(configuration(server, **settings)) as gateway:
        assert statuses(gateway, "team/app", held["team/app"]) == {200}
        assert statuses(gateway, "other/app", held["other/app"]) <= {*NOT_ALLOWED, 404}


def test_without_any(with_passwords, held):
    with Fairlead(configuration(with_passwords)) as gateway:
        assert statuses(gateway, "public/app", held["public/app"]) == {200}
        assert statuses(gateway, "team/app", held["team/app"]) <= {*NOT_ALLOWED, 404}
