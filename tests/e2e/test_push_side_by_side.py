# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of OCI distribution-spec 1.1, with each status it names for it, asked of the gateway
and of the registry itself: the same answers but for names, Locations and the ids of requests. What
differs on purpose is in DIFFERENCES. docs/distribution-api.md is made of it:

    WRITE_DISTRIBUTION_API=1 pytest tests/e2e/test_push_side_by_side.py
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from testbed import images
from testbed.distribution_table import LOGIN, NEVER, TABLE
from testbed.fairlead import Fairlead
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL
from testbed.registry import Htpasswd, Registry
from testbed.side_by_side import Place, Side, differing

DOCUMENT = Path(__file__).parents[2] / "docs" / "distribution-api.md"
KINDS = {"docker-registry 2.8": Registry, "a registry with all of 1.1": OciRegistry}
DISTRIBUTION, COMPLETE = KINDS


@dataclass(frozen=True)
class Difference:
    """Where it is meant: `of` are kinds, `cases` pairs of endpoint and case; `fields` may differ, and
    ours have what `ours` says."""
    reason: str
    cases: list
    fields: set
    ours: dict
    of: list = field(default_factory=lambda: list(KINDS))

    def covers(self, kind, endpoint, case):
        return kind in self.of and (endpoint, case) in self.cases


DIFFERENCES = [
    Difference("Sessions are sealed. One that is not from here is unknown, and the registry is not "
               "asked; docker-registry calls such an upload invalid",
               [(end, NEVER) for end in ("end-5", "end-6", "end-13", "end-14")],
               {"codes", "messages"}, {"status": 404, "codes": ["BLOB_UPLOAD_UNKNOWN"]},
               [DISTRIBUTION]),
    Difference("What is malformed is refused in the errors of the specification; docker-registry has "
               "no such path",
               [("end-2", "what is no digest"), ("end-12a", "what is no digest")],
               {"status", "codes", "messages", "Content-Type"},
               {"status": 400, "codes": ["DIGEST_INVALID"]}, [DISTRIBUTION]),
    Difference("No manifest is larger than 4 MiB; docker-registry calls it invalid", [
        ("end-7a", "more than 4 MiB")], {"status", "codes", "messages"},
        {"status": 413, "codes": ["SIZE_INVALID"]}, [DISTRIBUTION]),
    Difference("Of several errors the first is passed on", [
        ("end-7a", "in a repository that is not made")], {"codes", "messages"},
        {"status": 400, "codes": ["MANIFEST_BLOB_UNKNOWN"]}, [DISTRIBUTION]),
    Difference("What the gateway refuses by itself it says in its own words",
               [("end-6", "what is no digest"), ("end-6", "no digest"), ("end-7a", "more than 4 MiB"),
                *((end, NEVER) for end in ("end-5", "end-6", "end-13", "end-14"))],
               {"messages"}, {}),
    Difference("docker-registry 2.8 has no referrers: what the tag of the subject's digest lists is "
               "given, and without one the list is empty",
               [("end-12a", "what refers to a manifest"), ("end-12a", "what nothing refers to"),
                ("end-12b", "only of one kind")],
               {"status", "codes", "body", "Content-Type", "OCI-Filters-Applied"},
               {"status": 200, "Content-Type": images.OCI_INDEX}, [DISTRIBUTION]),
    Difference("Where a login is wanted, the challenge is the gateway's own", [
        (endpoint, case) for endpoint, case, _, _ in TABLE if case == LOGIN],
        {"status", "messages", "codes", "Content-Type"}, {"status": 401, "codes": ["UNAUTHORIZED"]}),
]
# Of what is read, an error's message is the gateway's own, and with it nothing is wrong.
READING = {"end-1", "end-2", "end-3", "end-8a", "end-8b", "end-12a", "end-12b"}


# Asking all of it of both sides.


@dataclass(frozen=True)
class Outcome:
    endpoint: str
    case: str
    method: str
    kind: str
    ours: dict
    theirs: dict

    @property
    def id(self):
        return f"{self.endpoint}-{self.method}-{self.case}-{self.kind}".replace(" ", "_")

    @property
    def difference(self):
        return next((each for each in DIFFERENCES
                     if each.covers(self.kind, self.endpoint, self.case)), None)

    @property
    def fields(self):
        found = differing(self.ours, self.theirs)
        return found - {"messages"} if self.endpoint in READING else found


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    robot = {"username": "robot", "password": "s3cret"}
    users = str(htpasswd(tmp_path_factory.mktemp("users") / "htpasswd", {"robot": "s3cret"}))
    found = {}
    with ExitStack() as stack:
        closed = stack.enter_context(Registry(auth=Htpasswd(**robot)))
        closed_gateway = stack.enter_context(_gateway(
            {"up": closed}, [_route("closed/", "up")], {"anonymous": [], "users": users}, robot))
        for kind, make in KINDS.items():
            behind, frozen, alone, alone_frozen = (
                stack.enter_context(make(deletes=deletes)) for deletes in (True, False, True, False))
            gateway = stack.enter_context(_gateway(
                {"up": behind, "up2": frozen},
                [_route("team/", "up"), _route("frozen/", "up2"),
                 {"match": "absent/", "to": "up/absent/", "allow": ALL}], {"anonymous": ALL}))
            ours = Place((gateway.url, "team/"), (gateway.url, "frozen/"),
                         (closed_gateway.url, "closed/"))
            theirs = Place((alone.url, "corp/apps/"), (alone_frozen.url, "corp/apps/"),
                           (closed.url, "corp/apps/"))
            for number, (endpoint, case, method, ask) in enumerate(TABLE):
                told = []
                for place, registry in ((ours, behind), (theirs, alone)):
                    side = Side(place, (registry.url, "corp/apps/"), f"case{number}")
                    told.append(side.told(ask(side), method))
                found[kind, number] = Outcome(endpoint, case, method, kind, *told)
        yield found


def _route(match, registry):
    return {"match": match, "to": f"{registry}/corp/apps/", "allow": ALL}


def _gateway(registries, routes, auth, settings=None):
    return Fairlead({"registries": {name: {"url": registry.url} | (settings or {})
                                    for name, registry in registries.items()},
                     "routes": routes, "auth": auth})


CASES = [(kind, number) for kind in KINDS for number in range(len(TABLE))]


def _id(value):
    return value.replace(" ", "_") if isinstance(value, str) else "-".join(
        TABLE[value][index].replace(" ", "_") for index in (0, 2, 1))


@pytest.mark.parametrize("kind,number", CASES, ids=_id)
def test_the_same_answer(outcomes, kind, number):
    found = outcomes[kind, number]
    assert not urlsplit(found.ours.get("Location", "")).netloc
    meant = found.difference
    if not meant:
        assert found.fields == set(), (found.ours, found.theirs)
        return
    assert found.fields <= meant.fields, (found.ours, found.theirs)
    assert {name: found.ours.get(name) for name in meant.ours} == meant.ours


@pytest.mark.parametrize("meant", DIFFERENCES, ids=lambda each: each.reason[:30].replace(" ", "_"))
def test_each_difference_is_one(outcomes, meant):
    """One that is none any more is not to be told."""
    assert any(found.difference is meant and (found.fields or found.case == LOGIN)
               for found in outcomes.values())


def test_every_status_of_the_specification(outcomes):
    """Those of its table of endpoints; the registries of this test have them all between them."""
    wanted = {"end-1": {200, 401}, "end-2": {200, 404, 400}, "end-3": {200, 404},
              "end-4a": {202, 404}, "end-4b": {201, 202, 400}, "end-5": {202, 404, 416},
              "end-6": {201, 404, 400, 416}, "end-7a": {201, 404, 400, 413}, "end-7b": {201},
              "end-8a": {200, 404}, "end-8b": {200}, "end-9": {202, 404, 400, 405},
              "end-10": {202, 404, 405}, "end-11": {201, 202}, "end-12a": {200, 400},
              "end-12b": {200}, "end-13": {204, 404}, "end-14": {204, 404}}
    for endpoint, statuses in wanted.items():
        found = {each.ours["status"] for each in outcomes.values() if each.endpoint == endpoint}
        assert statuses <= found, endpoint


# The document.

HEAD = """# The distribution API, endpoint by endpoint

What Fairlead answers to each request of OCI distribution-spec 1.1 (`spec.md`, *Endpoints*) where a
route has `allow: [pull, push, delete]`, in front of two kinds of registry. Each request of the table
was sent to Fairlead, and to a registry of the same kind itself. *Same* means: the same status, error
code, error message (of writes), body and headers, but for names, which are the client's, Locations,
which lead back to Fairlead, and the ids of uploads. A number names the reason why not, below the
table.

`tests/e2e/test_push_side_by_side.py` makes this file, and fails when it is out of date. `end-14`,
giving up an upload, is not in 1.1; later drafts have it.
"""


def render(outcomes):
    kinds = list(KINDS)
    lines = [HEAD, "| endpoint | request | " + " | ".join(f"{kind} | same" for kind in kinds) + " |",
             "|---|---|" + "---|---|" * len(kinds)]
    for number, (endpoint, case, method, _) in enumerate(TABLE):
        cells = []
        for kind in kinds:
            found = outcomes[kind, number]
            meant = found.difference
            cells += [str(found.ours["status"]),
                      f"{DIFFERENCES.index(meant) + 1}" if meant else "no" if found.fields else "yes"]
        lines.append(f"| {endpoint} | `{method}` {case} | " + " | ".join(cells) + " |")
    reasons = [f"{number}. {each.reason}." for number, each in enumerate(DIFFERENCES, 1)]
    return "\n".join([*lines, "", *reasons, ""])


def test_the_document_is_up_to_date(outcomes):
    text = render(outcomes)
    if os.environ.get("WRITE_DISTRIBUTION_API"):
        DOCUMENT.write_text(text)
    assert DOCUMENT.read_text() == text, "WRITE_DISTRIBUTION_API=1 writes it"
