# SPDX-License-Identifier: Apache-2.0
"""A gateway that asks its callers who they are, in front of one registry.

    with guarded(upstream, auth={"users": str(path), "anonymous": []}) as gateway:

The registry is `up`, and its repositories have their own names; `?ns=up.test` and the host
`up.example.org` lead to the same ones.
"""

import re
from contextlib import contextmanager

import pytest

from .checks import assert_error
from .fairlead import Fairlead
from .faulty_upstream import FaultyUpstream
from .passwords import htpasswd
from .token_client import challenge
from .upstream_faults import digest_of

# Who is refused: without credentials, with bad ones, and without the right.
NOT_ALLOWED = {401: {"UNAUTHORIZED"}, 403: {"DENIED"}}


def routes(*more, **of_all) -> list[dict]:
    return [{"match": "", "to": "up/"} | of_all, {"namespace": "up.test", "to": "up/"},
            {"host": "up.example.org", "to": "up/"}, *more]


def configuration(upstream, auth=None, *, server=None, route_list=None, log=None, registries=None,
                  **registry) -> dict:
    found = {"registries": {"up": {"url": upstream.url} | registry} | (registries or {}),
             "routes": route_list or routes()}
    return found | {name: value for name, value in (("auth", auth), ("server", server),
                                                    ("log", log)) if value is not None}


def guarded(upstream, auth=None, *, env=None, **more) -> Fairlead:
    return Fairlead(configuration(upstream, auth, **more), env=env)


def assert_unauthorized(answer, repository: str | None = None, error: str | None = None) -> dict:
    """401 with the challenge for pulling from the repository, or with none for /v2/."""
    assert_error(answer, 401, "UNAUTHORIZED")
    asked = challenge(answer)
    assert asked.get("scope") == (f"repository:{repository}:pull" if repository else None)
    assert asked.get("error") == error
    return asked


def assert_denied(answer) -> None:
    assert_error(answer, 403, "DENIED")


def assert_refused(answer) -> None:
    """Refused in either of the ways that clients understand."""
    assert answer.status in NOT_ALLOWED, (answer.status, answer.body[:300])
    assert_error(answer, answer.status, *NOT_ALLOWED[answer.status])


def anonymized(answer, name: str):
    """An answer without the name that was asked for and without what differs each time."""
    skipped = ("date", "content-length", "x-request-id")
    headers = sorted((key.lower(), value.replace(name, "NAME"))
                     for key, value in answer.headers.items() if key.lower() not in skipped)
    body = answer.body.replace(name.encode(), b"NAME")
    return answer.status, headers, re.sub(rb"\b[0-9a-f]{8,}\b", b"ID", body)


@contextmanager
def untouched(upstream, kind: str = "."):
    """The upstream is not asked for such a path meanwhile."""
    before = len(upstream.seen("*", kind))
    yield
    assert upstream.seen("*", kind)[before:] == []


# -- fixtures: from testbed.guarded import asked, upstream, users  # noqa: F401 ------------------

PASSWORDS = {"alice": "alice's: pass word", "bob": "bob-has-another"}
ALICE, BOB = PASSWORDS.items()
REPOSITORIES = ["team/app", "team/deep/app", "teamwork/app", "other/app", "public/app"]


def fill(server: FaultyUpstream) -> FaultyUpstream:
    """An image `1` in each repository; `blobs_of` has the digest of its one layer."""
    server.layers = {name: name.encode() * 10 for name in REPOSITORIES}
    server.blobs_of = {name: digest_of(data) for name, data in server.layers.items()}
    for name, data in server.layers.items():
        server.add_image(name, "1", [data])
    return server


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        yield fill(server)


@pytest.fixture
def users(tmp_path):
    """The path of an htpasswd file with alice and bob."""
    return str(htpasswd(tmp_path / "htpasswd", PASSWORDS))


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """One gateway for tests that fail no logins: who is anonymous may pull below public/, alice
    also below team/, and everybody else only as much as the anonymous."""
    path = htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", PASSWORDS)
    auth = {"users": str(path), "anonymous": [], "rules": [
        {"who": "anonymous", "repositories": ["public/**"], "actions": ["pull"]},
        {"who": "alice", "repositories": ["team/**", "up.test/other/**"], "actions": ["pull"]}]}
    with FaultyUpstream() as server, guarded(fill(server), auth) as gateway:
        gateway.upstream = server
        yield gateway
