# SPDX-License-Identifier: Apache-2.0
"""Sessions of uploads: nobody makes, changes or takes over one, or keeps it beyond its time; any
process with the same keys goes on with it. What is refused asks nothing of the registry."""

import re
from types import SimpleNamespace

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.guarded import ALICE, BOB, PASSWORDS
from testbed.http_request import basic, fetch
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL, Repository, writable
from testbed.registry import Registry
from testbed.token_client import bearer, get_token, scope, token_of
from testbed.upstream_faults import patterned
from testbed.wall_clock import DAY, WallClock

KEYS = ["00112233445566778899aabbccddeeff" * 2, "ffeeddccbbaa99887766554433221100" * 2]
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DATA = patterned(20_000, seed=3)
DIGEST = images.sha256(DATA)
METHODS = ["GET", "HEAD", "PATCH", "PUT", "DELETE"]
ROUTES = [{"namespace": "up.test", "to": "up/", "allow": ALL},
          {"host": "up.example.org", "to": "up/", "allow": ALL},
          {"match": "alias/", "to": "up/team/", "allow": ALL}]


def session_of(answer) -> str:
    return answer.headers["Location"].rpartition("/")[2].split("?")[0]


def ask(app, method, session):
    """The method of an upload of that session, as a client that goes on with it would."""
    query = {"digest": DIGEST} if method == "PUT" else {}
    return app.send(method, app.target(f"blobs/uploads/{session}", query),
                    DATA[5000:] if method in ("PATCH", "PUT") else None)


def assert_unknown(gateway, app, session, methods=("PATCH", "GET")):
    """Refused as what it is not, without a question to the registry."""
    gateway.registry.forget()
    for method in methods:
        answer = ask(app, method, session)
        assert answer.status == 404, (method, answer.status, answer.body[:200])
        if method != "HEAD":
            assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN")
        assert not answer.headers["Location"]
    assert gateway.registry.count() == 0


def assert_goes_on(app, session):
    answer = ask(app, "GET", session)
    assert answer.status == 204, (answer.status, answer.body[:200])


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    return str(htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", PASSWORDS))


@pytest.fixture(scope="module")
def gateway(users):
    """The anonymous may push as well, so that all that keeps them out of a session is that it is
    somebody else's."""
    with OciRegistry() as registry, writable(registry, routes=ROUTES, auth={"users": users}) as found:
        found.registry = registry
        yield found


def as_user(gateway, user=None, name="team/app", headers=None, query=""):
    return Repository(gateway.url, name, (headers or {}) | (
        {"Authorization": basic(*user)} if user else {}), query)


@pytest.fixture
def alice(gateway):
    """Alice's repository, with an upload that is begun."""
    app = as_user(gateway, ALICE)
    app.at = app.patch(app.open(), DATA[:5000])
    app.session = session_of(app.at)
    yield app
    assert_goes_on(app, app.session)
    assert app.put(app.at, DIGEST, DATA[5000:]).status == 201, "spoilt by what was refused"


# Tampered.


def test_every_character_counts(gateway, alice):
    session = alice.session
    places = [*range(0, len(session), 7), *range(len(session) - 3, len(session))]
    for at in places:
        old = session[at]
        new = BASE64URL[BASE64URL.index(old) ^ 32] if old in BASE64URL else "A"
        assert_unknown(gateway, alice, session[:at] + new + session[at + 1:], ["PATCH"])


def test_nothing_can_be_left_out_or_added(gateway, alice):
    session = alice.session
    lengths = [*range(0, len(session), 11), len(session) - 1]
    changed = [session[:length] for length in lengths if length]
    changed += [session[1:], session + "A", session + "=", session + ".", session * 2,
                session.swapcase(), session[::-1], "A" + session]
    for each in changed:
        assert_unknown(gateway, alice, each, ["PATCH"])


@pytest.mark.parametrize("method", METHODS)
def test_for_no_method(gateway, alice, method):
    middle = len(alice.session) // 2
    changed = "A" if alice.session[middle] != "A" else "B"
    for session in (alice.session[:middle] + changed + alice.session[middle + 1:], "v4.local.AAAA"):
        assert_unknown(gateway, alice, session, [method])


def test_two_of_them_make_none(gateway, alice):
    other = session_of(alice.open())
    parts, others = alice.session.split("."), other.split(".")
    assert len(parts) == len(others)
    longest = max(range(len(parts)), key=lambda index: len(parts[index]))
    for cut in (40, 60, len(parts[longest]) // 2, len(parts[longest]) - 20):
        mixed = parts[longest][:cut] + others[longest][cut:]
        assert_unknown(gateway, alice,
                       ".".join([*parts[:longest], mixed, *parts[longest + 1:]]), ["PATCH"])


@pytest.mark.parametrize("prefix", ["v4.public.", "v3.local.", "v4.local.v4.local.", "V4.LOCAL."])
def test_no_other_kind_of_token(gateway, alice, prefix):
    assert_unknown(gateway, alice, prefix + alice.session.removeprefix("v4.local."))


def test_it_tells_nothing(gateway, alice):
    """Not by its length either: what is behind is sealed, and two of one upload differ."""
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", alice.session)
    assert session_of(alice.status(alice.at)) != alice.session


# Foreign.


@pytest.mark.parametrize("method", METHODS)
def test_not_in_another_repository(gateway, alice, method):
    for name in ("team/other", "team", "app", "team/app/app", "alias/app"):
        assert_unknown(gateway, as_user(gateway, ALICE, name), alice.session, [method])


def test_not_by_another_way_to_the_same_repository(gateway, alice):
    """It is another name, and may be another right."""
    assert_unknown(gateway, as_user(gateway, ALICE, query="ns=up.test"), alice.session)
    by_host = as_user(gateway, ALICE, headers={"Host": "up.example.org"})
    assert_unknown(gateway, by_host, alice.session)
    there = as_user(gateway, ALICE, query="ns=up.test")
    assert_unknown(gateway, alice, session_of(there.open()))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("who", [BOB, None], ids=["bob", "anonymous"])
def test_not_of_another_caller(gateway, alice, who, method):
    assert_unknown(gateway, as_user(gateway, who), alice.session, [method])


def test_an_anonymous_one_is_not_a_users(gateway, alice):
    anonymous = as_user(gateway)
    session = session_of(anonymous.open())
    assert_unknown(gateway, alice, session)
    assert_goes_on(anonymous, session)


def test_who_it_is_counts_and_not_how_he_says_so(gateway, alice):
    given = get_token(gateway, None, scope("team/app", "pull,push"), user=ALICE)
    assert_goes_on(Repository(gateway.url, "team/app", bearer(given)), alice.session)


def test_an_access_token_is_no_session(gateway, alice):
    """Both are sealed with the same keys."""
    token = token_of(get_token(gateway, None, scope("team/app", "pull,push"), user=ALICE))
    assert_unknown(gateway, alice, token, METHODS)


def test_a_session_is_no_access_token(gateway, alice):
    gateway.registry.forget()
    for target in ("/v2/", "/v2/team/app/tags/list", "/v2/team/app/blobs/uploads/"):
        answer = fetch(gateway.url, target, method="POST" if "uploads" in target else "GET",
                       headers=bearer(alice.session))
        assert_error(answer, 401, "UNAUTHORIZED")
    assert gateway.registry.count() == 0


def test_not_at_another_registry():
    """The same name leads elsewhere meanwhile: what was begun there is not gone on with here."""
    with OciRegistry() as one, OciRegistry() as two:
        auth = {"keys": KEYS[:1]}
        with writable(one, auth=auth) as before, writable(one, two, auth=auth) as after:
            after.write_config({**after.config, "routes": [
                {"match": "", "to": "up2/", "allow": ALL}]})
            after.restart()
            session = session_of(Repository(before.url, "team/app").open())
            for registry in (one, two):
                after.registry = registry
                assert_unknown(after, Repository(after.url, "team/app"), session)
            assert_goes_on(Repository(before.url, "team/app"), session)


def test_not_in_another_repository_of_the_registry():
    """The route of the name leads to another repository meanwhile."""
    with OciRegistry() as registry, writable(registry, auth={"keys": KEYS[:1]}) as gateway:
        gateway.registry = registry
        app = Repository(gateway.url, "team/app")
        session = session_of(app.open())
        gateway.write_config({**gateway.config, "routes": [
            {"match": "", "to": "up/moved/", "allow": ALL}]})
        gateway.restart()
        assert_unknown(gateway, Repository(gateway.url, "team/app"), session)


# Replayed: that is the registry's to refuse.


@pytest.fixture(params=[Registry, OciRegistry], ids=["distribution", "complete"])
def plain(request):
    with request.param() as registry, writable(registry) as found:
        found.registry = registry
        found.app = Repository(found.url, "team/app")
        yield found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["put", "cancelled"])
def test_after_its_end(plain, end, method):
    opened = plain.app.open()
    sent = plain.app.patch(opened, DATA[:5000])
    done = plain.app.put(sent, DIGEST, DATA[5000:]) if end == "put" else plain.app.cancel(sent)
    assert done.status == (201 if end == "put" else 204)
    for session in map(session_of, (opened, sent)):
        answer = ask(plain.app, method, session)
        assert answer.status == 404
        if method != "HEAD":
            assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")
    assert (plain.app.blob(DIGEST).status == 200) == (end == "put")


def test_an_older_one(plain):
    """docker-registry refuses it, for its Locations name the offset; others go on. In both cases
    nothing is spoilt."""
    direct = Repository(plain.registry.url, "team/direct")
    statuses = []
    for app in (plain.app, direct):
        opened = app.open()
        sent = app.patch(opened, DATA[:5000])
        statuses.append((app.status(opened).status, app.status(sent).status))
        assert app.put(sent, DIGEST, DATA[5000:]).status == 201
    assert statuses[0] == statuses[1]


# Its time.


def test_a_session_ends_a_day_after_the_last_answer(tmp_path):
    clock = WallClock(tmp_path)
    with OciRegistry() as registry, writable(registry, env=clock.environment) as gateway:
        gateway.registry = registry
        app = Repository(gateway.url, "team/app")
        first = app.open()
        clock.set(0.99)
        second = app.patch(first, DATA[:5000])
        assert second.status == 202
        clock.set(1.01)
        assert_unknown(gateway, app, session_of(first), METHODS)
        clock.set(1.98)
        assert_goes_on(app, session_of(second))
        clock.set(2)
        assert_unknown(gateway, app, session_of(second), METHODS)


# Keys and processes.


def test_the_first_key_seals_and_all_open():
    with OciRegistry() as registry:
        gateways = SimpleNamespace()
        with (writable(registry, auth={"keys": KEYS[:1]}) as gateways.old,
              writable(registry, auth={"keys": [KEYS[1], KEYS[0]]}) as gateways.both,
              writable(registry, auth={"keys": KEYS[1:]}) as gateways.new):
            apps = {}
            for name, gateway in vars(gateways).items():
                gateway.registry = registry
                apps[name] = Repository(gateway.url, "team/app")
            before, after = session_of(apps["old"].open()), session_of(apps["both"].open())
            assert_goes_on(apps["both"], before)
            assert_goes_on(apps["new"], after)
            assert_unknown(gateways.new, apps["new"], before)
            assert_unknown(gateways.old, apps["old"], after)


def test_of_another_gateway(plain):
    with writable(plain.registry) as other:
        other.registry = plain.registry
        session = session_of(plain.app.open())
        assert_unknown(other, Repository(other.url, "team/app"), session, METHODS)
        assert_goes_on(plain.app, session)


def test_two_processes_with_one_key(plain):
    """One behind a load balancer takes the POST, another the PATCH, the first the PUT."""
    auth = {"keys": KEYS[:1]}
    with (writable(plain.registry, auth=auth) as one, writable(plain.registry, auth=auth) as two):
        here, there = (Repository(each.url, "team/app") for each in (one, two))
        at = here.open()
        for first, app in ((0, there), (6000, here), (12_000, there)):
            at = app.patch(at.headers["Location"], DATA[first:first + 6000], first=first)
            assert at.status == 202, at.body
            assert at.headers["Range"] == f"0-{first + 5999}"
        assert here.put(at.headers["Location"], DIGEST, DATA[18_000:]).status == 201
        for app in (here, there):
            assert app.blob(DIGEST).body == DATA


def test_two_processes_with_clocks_that_differ(plain, tmp_path):
    """By as much as clocks of two machines do."""
    auth, clock = {"keys": KEYS[:1]}, WallClock(tmp_path)
    with (writable(plain.registry, auth=auth) as one,
          writable(plain.registry, auth=auth, env=clock.environment) as two):
        here, there = (Repository(each.url, "team/app") for each in (one, two))
        for seconds in (-30, 30):
            clock.set(seconds / DAY)
            sent = there.patch(here.open(), DATA[:5000])
            assert sent.status == 202, sent.body
            assert here.put(sent, DIGEST, DATA[5000:]).status == 201


def test_a_restart_does_not_end_an_upload(plain):
    """The key that was made at the first start is kept."""
    at = plain.app.patch(plain.app.open(), DATA[:5000]).headers["Location"]
    plain.restart()
    app = Repository(plain.url, "team/app")
    assert app.put(at, DIGEST, DATA[5000:]).status == 201
    assert app.blob(DIGEST).body == DATA
