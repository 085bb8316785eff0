# SPDX-License-Identifier: Apache-2.0
"""Every client logs in, in each way that it has, with every kind of credentials, and pulls.

Each pull is of an image that nobody else may pull, so that none of them passes by being anonymous.
"""

import pytest
from testbed.fairlead import Fairlead
from testbed.issuers import HmacIssuer, access_to
from testbed.logins import ALL, BASIC, ctr_refresh, docker_login
from testbed.passwords import htpasswd
from testbed.registry import Htpasswd, Registry, TokenAuth
from testbed.token_server import TokenServer

NAME = "upstream.test"
PATH = f"{NAME}/team/app"
USER, PASSWORD = "alice", "ali:ce's pass"
ISSUER = HmacIssuer()

every_way = pytest.mark.parametrize("way", ALL.values(), ids=ALL.keys())


def routed(registry, **settings):
    return {"registries": {NAME: {"url": registry.url} | settings},
            "routes": [{"match": f"{NAME}/", "to": f"{NAME}/"}, {"namespace": "*", "to": "{1}/"}]}


@pytest.fixture(scope="module")
def own(upstreams, tmp_path_factory):
    """A gateway with users and an issuer of tokens, in front of an open registry."""
    path = htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", {USER: PASSWORD})
    auth = {"users": str(path), "jwt": [ISSUER.entry()], "anonymous": [],
            "rules": [{"who": USER, "repositories": [f"{NAME}/team/**"], "actions": ["pull"]}]}
    with Fairlead(routed(upstreams["open"].registry) | {"auth": auth}) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["token", "basic"])
def relayed(request, pushed, tmp_path_factory):
    """A gateway that relays to a registry with a token server, or with passwords only."""
    if request.param == "basic":
        with (Registry(pushed.storage, auth=Htpasswd(USER, PASSWORD)) as registry,
              Fairlead(routed(registry, credentials="relay")) as gateway):
            yield gateway
        return
    with (TokenServer(tmp_path_factory.mktemp("tokens"), username=USER,
                      password=PASSWORD) as tokens,
          Registry(pushed.storage, auth=TokenAuth(tokens)) as registry,
          Fairlead(routed(registry, credentials="relay")) as gateway):
        yield gateway


def credentials(kind):
    access = access_to(PATH, "pull")
    return {"password": (USER, PASSWORD), "JWT": ("whoever", ISSUER.token("carol", access=access)),
            "JWT, by the rules": ("<token>", ISSUER.token(USER))}[kind]


@every_way
@pytest.mark.parametrize("kind", ["password", "JWT"])
def test_with_credentials_of_our_own(own, all_clients, pushed, way, kind):
    found = way.pull(all_clients, own.host, PATH, "1.0", *credentials(kind))
    assert pushed.multi_arch.digest in found


@pytest.mark.parametrize("way", [ALL["docker login"], ALL["ctr --user"]], ids=["docker", "ctr"])
def test_with_a_token_that_rules_are_for(own, all_clients, pushed, way):
    found = way.pull(all_clients, own.host, PATH, "1.0", *credentials("JWT, by the rules"))
    assert pushed.multi_arch.digest in found


def test_with_an_identity_token(own, all_clients, pushed):
    token = credentials("JWT")[1]
    assert pushed.multi_arch.digest in ctr_refresh(all_clients["containerd"], own.host, PATH, "1.0",
                                                   token)


def test_with_a_password_in_every_request(own, all_clients, pushed):
    for way in BASIC.values():
        found = way.pull(all_clients, own.host, PATH, "1.0", USER, PASSWORD)
        assert pushed.multi_arch.digest in found


@every_way
def test_with_credentials_of_the_upstream(relayed, all_clients, pushed, way):
    found = way.pull(all_clients, relayed.host, PATH, "1.0", USER, PASSWORD)
    assert pushed.multi_arch.digest in found


# Who is refused. Each in a gateway of its own: after some failures nobody is listened to.


@every_way
@pytest.mark.parametrize("kind", ["password", "JWT"])
def test_wrong_credentials(upstreams, all_clients, tmp_path, way, kind):
    path = htpasswd(tmp_path / "htpasswd", {USER: PASSWORD})
    config = routed(upstreams["open"].registry) | {
        "auth": {"users": str(path), "jwt": [ISSUER.entry()], "anonymous": []}}
    wrong = {"password": (USER, PASSWORD + "!"), "JWT": ("x", ISSUER.token("carol", exp=-3600))}
    with Fairlead(config) as gateway, pytest.raises(AssertionError, match="exit code"):
        way.pull(all_clients, gateway.host, PATH, "1.0", *wrong[kind])


@every_way
def test_wrong_credentials_of_the_upstream(pushed, all_clients, tmp_path, way):
    with (TokenServer(tmp_path / "tokens", username=USER, password=PASSWORD) as tokens,
          Registry(pushed.storage, auth=TokenAuth(tokens)) as registry,
          Fairlead(routed(registry, credentials="relay")) as gateway):
        with pytest.raises(AssertionError, match="exit code"):
            way.pull(all_clients, gateway.host, PATH, "1.0", USER, PASSWORD + "!")
        assert {request.user for request in tokens.requests} <= {""}


@pytest.mark.parametrize("name", ["docker", "podman", "skopeo", "buildah"])
def test_without_a_login(own, all_clients, name):
    with pytest.raises(AssertionError, match="exit code"):
        all_clients[name].pull(own.host, PATH, "1.0")


def test_a_login_without_the_right(upstreams, all_clients, tmp_path):
    """docker says so in words that are to be understood."""
    path = htpasswd(tmp_path / "htpasswd", {USER: PASSWORD})
    auth = {"users": str(path), "anonymous": [], "rules": []}
    with Fairlead(routed(upstreams["open"].registry) | {"auth": auth}) as gateway:
        with docker_login(all_clients["docker"], gateway.host, USER, PASSWORD) as docker:
            with pytest.raises(AssertionError, match="denied"):
                docker.pull(gateway.host, PATH, "1.0")


def test_docker_logs_in_at_several_gateways_at_once(own, relayed, all_clients, pushed):
    docker = all_clients["docker"]
    with (docker_login(docker, own.host, *credentials("JWT")),
          docker_login(docker, relayed.host, USER, PASSWORD)):
        for gateway in (own, relayed):
            assert pushed.multi_arch.digest in docker.pull(gateway.host, PATH, "1.0")
