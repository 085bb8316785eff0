# SPDX-License-Identifier: Apache-2.0
"""A gateway that asks its callers who they are, in front of one registry.

    with guarded(upstream, auth={"users": str(path), "anonymous": []}) as gateway:

The registry is `up`, and its repositories have their own names; `?ns=up.test` and the host
`up.example.org` lead to the same ones.
"""

from contextlib import contextmanager

from .checks import assert_error
from .fairlead import Fairlead
from .token_client import challenge

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


@contextmanager
def untouched(upstream, kind: str = "."):
    """The upstream is not asked for such a path meanwhile."""
    before = len(upstream.seen("*", kind))
    yield
    assert upstream.seen("*", kind)[before:] == []
