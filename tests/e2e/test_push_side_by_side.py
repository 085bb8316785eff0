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
from testbed.fairlead import Fairlead
from testbed.oci_registry import OciRegistry
from testbed.passwords import htpasswd
from testbed.pushing import ALL, chunks
from testbed.registry import Htpasswd, Registry
from testbed.side_by_side import Place, Side, differing
from testbed.upstream_faults import patterned

DOCUMENT = Path(__file__).parents[2] / "docs" / "distribution-api.md"
DATA = patterned(5000, seed=5)
DIGEST, WRONG, ABSENT = images.sha256(DATA), images.sha256(b"wrong"), images.sha256(b"absent")
IMAGE = images.image([images.noise_layer("side", 500)])
LAYER = IMAGE.blobs[1]
SIGNATURE = images.artifact(IMAGE, "application/vnd.testbed.signature", b"signed")
BILL = images.artifact(IMAGE, "application/vnd.testbed.bill", b"bill")
NO_SESSION = "00000000-0000-0000-0000-000000000000"
LARGE = IMAGE.manifest + b" " * ((4 << 20) + 1 - len(IMAGE.manifest))
MISSING = IMAGE.manifest.replace(LAYER.digest.encode(), ABSENT.encode())


# What cases do before they ask.


def image(side, *tags):
    side.behind.push_image(IMAGE, *(tags or ["1"]))
    return side


def referred(side):
    image(side).behind.push_image(SIGNATURE)
    side.behind.push_image(BILL)
    return side


def deleted(side, what):
    side.app.send("DELETE", side.app.target(what))
    return side


def begun(side):
    return side.app.patch(side.app.open(), DATA[:1000], first=0)


def ended(side):
    at = side.app.open()
    assert side.app.put(at, DIGEST, DATA).status == 201
    return at


def cancelled(side):
    at = begun(side)
    assert side.app.cancel(at).status == 204
    return at


def none(side, **query):
    return side.app.target(f"blobs/uploads/{NO_SESSION}", query)


def part(repository, at, method, first, last, **query):
    joint = "&" if "?" in repository.where(at) else "?"
    asked = "".join(f"{joint}{name}={value}" for name, value in query.items())
    return repository.send(method, repository.where(at) + asked, DATA[first:last], {
        "Content-Type": "application/octet-stream", "Content-Range": f"{first}-{last - 1}"})


def delete(repository, what):
    return repository.send("DELETE", repository.target(what))


# The endpoint, the case, and how it is asked: method, and a function of the side.
TABLE = [
    ("end-1", "is there a registry", "GET", lambda s: s.app.send("GET", "/v2/")),
    ("end-1", "without a login where one is wanted", "GET", lambda s: s.closed.send("GET", "/v2/")),

    ("end-2", "a blob", "GET", lambda s: image(s).app.blob(LAYER.digest)),
    ("end-2", "a blob", "HEAD", lambda s: image(s).app.blob(LAYER.digest, "HEAD")),
    ("end-2", "a blob that is not there", "GET", lambda s: image(s).app.blob(ABSENT)),
    ("end-2", "a blob that is not there", "HEAD", lambda s: image(s).app.blob(ABSENT, "HEAD")),
    ("end-2", "a blob of another repository", "GET", lambda s: image(s).other.blob(LAYER.digest)),
    ("end-2", "what is no digest", "GET", lambda s: image(s).app.blob("sha256:abc")),
    ("end-2", "without a login where one is wanted", "GET", lambda s: s.closed.blob(ABSENT)),

    ("end-3", "a manifest by tag", "GET", lambda s: image(s).app.manifest("1")),
    ("end-3", "a manifest by tag", "HEAD", lambda s: image(s).app.manifest("1", "HEAD")),
    ("end-3", "a manifest by digest", "GET", lambda s: image(s).app.manifest(IMAGE.digest)),
    ("end-3", "a manifest by digest", "HEAD", lambda s: image(s).app.manifest(IMAGE.digest, "HEAD")),
    ("end-3", "a tag that is not there", "GET", lambda s: image(s).app.manifest("2")),
    ("end-3", "a tag that is not there", "HEAD", lambda s: image(s).app.manifest("2", "HEAD")),
    ("end-3", "a digest that is not there", "GET", lambda s: image(s).app.manifest(ABSENT)),
    ("end-3", "a repository that is not there", "GET", lambda s: s.app.manifest("1")),
    ("end-3", "without a login where one is wanted", "GET", lambda s: s.closed.manifest("1")),

    ("end-4a", "begin an upload", "POST", lambda s: s.app.open()),
    ("end-4a", "in a repository that is not made", "POST", lambda s: s.absent.open()),
    ("end-4a", "without a login where one is wanted", "POST", lambda s: s.closed.open()),
    ("end-4b", "a blob at once", "POST", lambda s: s.app.open(DATA, digest=DIGEST)),
    ("end-4b", "a blob at once, wrong digest", "POST", lambda s: s.app.open(DATA, digest=WRONG)),

    ("end-5", "a part, streamed", "PATCH", lambda s: s.app.patch(s.app.open(), chunks(DATA))),
    ("end-5", "a part, with its length", "PATCH", lambda s: s.app.patch(s.app.open(), DATA)),
    ("end-5", "the first part, with its range", "PATCH", lambda s: begun(s)),
    ("end-5", "the next part, with its range", "PATCH",
     lambda s: part(s.app, begun(s), "PATCH", 1000, 2000)),
    ("end-5", "a part out of order", "PATCH", lambda s: part(s.app, begun(s), "PATCH", 2000, 3000)),
    ("end-5", "a part that was sent already", "PATCH", lambda s: part(s.app, begun(s), "PATCH", 0, 1000)),
    ("end-5", "an upload that was given up", "PATCH", lambda s: s.app.patch(cancelled(s), DATA)),
    ("end-5", "an upload that has ended", "PATCH", lambda s: s.app.patch(ended(s), DATA)),
    ("end-5", "an upload that never was", "PATCH", lambda s: s.app.patch(none(s), DATA)),

    ("end-6", "all of a blob", "PUT", lambda s: s.app.put(s.app.open(), DIGEST, DATA)),
    ("end-6", "all of a blob, streamed", "PUT", lambda s: s.app.put(s.app.open(), DIGEST, chunks(DATA))),
    ("end-6", "the end, after parts", "PUT",
     lambda s: s.app.put(part(s.app, begun(s), "PATCH", 1000, 5000), DIGEST)),
    ("end-6", "the last part", "PUT", lambda s: part(s.app, begun(s), "PUT", 1000, 5000, digest=DIGEST)),
    ("end-6", "the last part, out of order", "PUT",
     lambda s: part(s.app, begun(s), "PUT", 2000, 5000, digest=DIGEST)),
    ("end-6", "an empty blob", "PUT", lambda s: s.app.put(s.app.open(), images.sha256(b""))),
    ("end-6", "a wrong digest", "PUT", lambda s: s.app.put(s.app.open(), WRONG, DATA)),
    ("end-6", "what is no digest", "PUT", lambda s: s.app.put(s.app.open(), "sha256:abc", DATA)),
    ("end-6", "no digest", "PUT", lambda s: s.app.send("PUT", s.app.where(s.app.open()), DATA)),
    ("end-6", "an upload that was given up", "PUT", lambda s: s.app.put(cancelled(s), DIGEST, DATA)),
    ("end-6", "an upload that has ended", "PUT", lambda s: s.app.put(ended(s), DIGEST, DATA)),
    ("end-6", "an upload that never was", "PUT", lambda s: s.app.send("PUT", none(s, digest=DIGEST), DATA)),

    ("end-7a", "a manifest by tag", "PUT", lambda s: image(s).app.put_manifest("2", IMAGE)),
    ("end-7a", "a manifest by digest", "PUT", lambda s: image(s).app.put_manifest(IMAGE.digest, IMAGE)),
    ("end-7a", "a manifest with a subject", "PUT",
     lambda s: referred(s).app.put_manifest(SIGNATURE.digest, SIGNATURE)),
    ("end-7a", "a wrong digest", "PUT", lambda s: image(s).app.put_manifest(WRONG, IMAGE)),
    ("end-7a", "what is no JSON", "PUT", lambda s: image(s).app.put_manifest("2", b"nonsense")),
    ("end-7a", "with a blob that is not there", "PUT", lambda s: image(s).app.put_manifest("2", MISSING)),
    ("end-7a", "an index of what is not there", "PUT",
     lambda s: s.app.put_manifest("2", images.index([IMAGE]))),
    ("end-7a", "more than 4 MiB", "PUT", lambda s: image(s).app.put_manifest("2", LARGE)),
    ("end-7a", "in a repository that is not made", "PUT", lambda s: s.absent.put_manifest("2", IMAGE)),
    ("end-7a", "without a login where one is wanted", "PUT", lambda s: s.closed.put_manifest("2", IMAGE)),
    ("end-7b", "by digest with two tags", "PUT",
     lambda s: image(s).app.put_manifest(IMAGE.digest, IMAGE, tag=["x", "y"])),

    ("end-8a", "tags", "GET", lambda s: image(s, "a", "b", "c").app.tags()),
    ("end-8a", "tags of a repository that is not there", "GET", lambda s: s.app.tags()),
    ("end-8a", "without a login where one is wanted", "GET", lambda s: s.closed.tags()),
    ("end-8b", "the first two", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=2)),
    ("end-8b", "those behind one", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=2, last="b")),
    ("end-8b", "none of them", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=0)),

    ("end-9", "a manifest by digest", "DELETE", lambda s: delete(image(s).app, f"manifests/{IMAGE.digest}")),
    ("end-9", "a manifest that is not there", "DELETE", lambda s: delete(image(s).app, f"manifests/{ABSENT}")),
    ("end-9", "a manifest that was deleted", "DELETE", lambda s: delete(
        deleted(image(s), f"manifests/{IMAGE.digest}").app, f"manifests/{IMAGE.digest}")),
    ("end-9", "a tag", "DELETE", lambda s: delete(image(s, "1", "2").app, "manifests/1")),
    ("end-9", "a tag that is not there", "DELETE", lambda s: delete(image(s).app, "manifests/2")),
    ("end-9", "where nothing is deleted", "DELETE", lambda s: delete(s.frozen, f"manifests/{IMAGE.digest}")),
    ("end-9", "without a login where one is wanted", "DELETE",
     lambda s: delete(s.closed, f"manifests/{ABSENT}")),

    ("end-10", "a blob", "DELETE", lambda s: delete(image(s).app, f"blobs/{LAYER.digest}")),
    ("end-10", "a blob that is not there", "DELETE", lambda s: delete(image(s).app, f"blobs/{ABSENT}")),
    ("end-10", "a blob that was deleted", "DELETE", lambda s: delete(
        deleted(image(s), f"blobs/{LAYER.digest}").app, f"blobs/{LAYER.digest}")),
    ("end-10", "where nothing is deleted", "DELETE", lambda s: delete(s.frozen, f"blobs/{LAYER.digest}")),
    ("end-10", "without a login where one is wanted", "DELETE", lambda s: delete(s.closed, f"blobs/{ABSENT}")),

    ("end-11", "mount a blob", "POST",
     lambda s: image(s).other.open(mount=LAYER.digest, from_=s.app.name)),
    ("end-11", "mount what is not there", "POST",
     lambda s: image(s).other.open(mount=ABSENT, from_=s.app.name)),
    ("end-11", "mount from a repository that is not there", "POST",
     lambda s: image(s).other.open(mount=LAYER.digest, from_=s.app.name + "-gone")),
    ("end-11", "mount from anywhere", "POST", lambda s: image(s).other.open(mount=LAYER.digest)),

    ("end-12a", "what refers to a manifest", "GET", lambda s: referred(s).app.referrers(IMAGE.digest)),
    ("end-12a", "what nothing refers to", "GET", lambda s: image(s).app.referrers(ABSENT)),
    ("end-12a", "what is no digest", "GET", lambda s: image(s).app.referrers("1")),
    ("end-12a", "without a login where one is wanted", "GET", lambda s: s.closed.referrers(ABSENT)),
    ("end-12b", "only of one kind", "GET", lambda s: referred(s).app.referrers(
        IMAGE.digest, artifactType="application/vnd.testbed.bill")),

    ("end-13", "an upload that was begun", "GET", lambda s: s.app.status(s.app.open())),
    ("end-13", "an upload that has a part", "GET", lambda s: s.app.status(begun(s))),
    ("end-13", "an upload that was given up", "GET", lambda s: s.app.status(cancelled(s))),
    ("end-13", "an upload that has ended", "GET", lambda s: s.app.status(ended(s))),
    ("end-13", "an upload that never was", "GET", lambda s: s.app.status(none(s))),

    ("end-14", "give up an upload", "DELETE", lambda s: s.app.cancel(begun(s))),
    ("end-14", "an upload that was given up", "DELETE", lambda s: s.app.cancel(cancelled(s))),
    ("end-14", "an upload that never was", "DELETE", lambda s: s.app.cancel(none(s))),
]
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


LOGIN = "without a login where one is wanted"
NEVER = "an upload that never was"
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
    Difference("docker-registry 2.8 gives all tags whatever is asked; here the list is cut as asked",
               [("end-8b", "the first two"), ("end-8b", "those behind one"),
                ("end-8b", "none of them")],
               {"body", "Link"}, {"status": 200}, [DISTRIBUTION]),
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
        return next((each for each in DIFFERENCES if each.covers(self.kind, self.endpoint, self.case)),
                    None)

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

What Fairlead answers to each request of [OCI distribution-spec 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#endpoints)
where a route has `allow: [pull, push, delete]`, in front of two kinds of registry. Each request of the
table was sent to Fairlead and to a registry of the same kind itself. *Same* means: the same status, error code,
error message (of writes), body and headers, but for names, which are the client's, Locations, which
lead back to Fairlead, and the ids of uploads. A number names the reason why not, below the table.

tests/e2e/test_push_side_by_side.py makes this file, and fails when it is out of date. `end-14`, giving up an upload,
is not in 1.1; later drafts have it.
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
                      f"{DIFFERENCES.index(meant) + 1}" if meant else "yes" if not found.fields else "no"]
        lines.append(f"| {endpoint} | `{method}` {case} | " + " | ".join(cells) + " |")
    reasons = [f"{number}. {each.reason}." for number, each in enumerate(DIFFERENCES, 1)]
    return "\n".join([*lines, "", *reasons, ""])


def test_the_document_is_up_to_date(outcomes):
    text = render(outcomes)
    if os.environ.get("WRITE_DISTRIBUTION_API"):
        DOCUMENT.write_text(text)
    assert DOCUMENT.read_text() == text, "WRITE_DISTRIBUTION_API=1 writes it"
