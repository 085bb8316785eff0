# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of OCI distribution-spec 1.1, with a case for each status that it names: the table
of test_push_side_by_side.py. `end-14`, giving up an upload, is of later drafts.
"""

from . import images
from .push_protocol import chunks
from .upstream_faults import patterned

LOGIN = "without a login where one is wanted"
NEVER = "an upload that never was"
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
    ("end-1", LOGIN, "GET", lambda s: s.closed.send("GET", "/v2/")),

    ("end-2", "a blob", "GET", lambda s: image(s).app.blob(LAYER.digest)),
    ("end-2", "a blob", "HEAD", lambda s: image(s).app.blob(LAYER.digest, "HEAD")),
    ("end-2", "a blob that is not there", "GET", lambda s: image(s).app.blob(ABSENT)),
    ("end-2", "a blob that is not there", "HEAD", lambda s: image(s).app.blob(ABSENT, "HEAD")),
    ("end-2", "a blob of another repository", "GET", lambda s: image(s).other.blob(LAYER.digest)),
    ("end-2", "what is no digest", "GET", lambda s: image(s).app.blob("sha256:abc")),
    ("end-2", LOGIN, "GET", lambda s: s.closed.blob(ABSENT)),

    ("end-3", "a manifest by tag", "GET", lambda s: image(s).app.manifest("1")),
    ("end-3", "a manifest by tag", "HEAD", lambda s: image(s).app.manifest("1", "HEAD")),
    ("end-3", "a manifest by digest", "GET", lambda s: image(s).app.manifest(IMAGE.digest)),
    ("end-3", "a manifest by digest", "HEAD", lambda s: image(s).app.manifest(IMAGE.digest, "HEAD")),
    ("end-3", "a tag that is not there", "GET", lambda s: image(s).app.manifest("2")),
    ("end-3", "a tag that is not there", "HEAD", lambda s: image(s).app.manifest("2", "HEAD")),
    ("end-3", "a digest that is not there", "GET", lambda s: image(s).app.manifest(ABSENT)),
    ("end-3", "a repository that is not there", "GET", lambda s: s.app.manifest("1")),
    ("end-3", LOGIN, "GET", lambda s: s.closed.manifest("1")),

    ("end-4a", "begin an upload", "POST", lambda s: s.app.open()),
    ("end-4a", "in a repository that is not made", "POST", lambda s: s.absent.open()),
    ("end-4a", LOGIN, "POST", lambda s: s.closed.open()),
    ("end-4b", "a blob at once", "POST", lambda s: s.app.open(DATA, digest=DIGEST)),
    ("end-4b", "a blob at once, wrong digest", "POST", lambda s: s.app.open(DATA, digest=WRONG)),

    ("end-5", "a part, streamed", "PATCH", lambda s: s.app.patch(s.app.open(), chunks(DATA))),
    ("end-5", "a part, with its length", "PATCH", lambda s: s.app.patch(s.app.open(), DATA)),
    ("end-5", "the first part, with its range", "PATCH", lambda s: begun(s)),
    ("end-5", "the next part, with its range", "PATCH",
     lambda s: part(s.app, begun(s), "PATCH", 1000, 2000)),
    ("end-5", "a part out of order", "PATCH", lambda s: part(s.app, begun(s), "PATCH", 2000, 3000)),
    ("end-5", "a part that was sent already", "PATCH",
     lambda s: part(s.app, begun(s), "PATCH", 0, 1000)),
    ("end-5", "an upload that was given up", "PATCH", lambda s: s.app.patch(cancelled(s), DATA)),
    ("end-5", "an upload that has ended", "PATCH", lambda s: s.app.patch(ended(s), DATA)),
    ("end-5", NEVER, "PATCH", lambda s: s.app.patch(none(s), DATA)),

    ("end-6", "all of a blob", "PUT", lambda s: s.app.put(s.app.open(), DIGEST, DATA)),
    ("end-6", "all of a blob, streamed", "PUT",
     lambda s: s.app.put(s.app.open(), DIGEST, chunks(DATA))),
    ("end-6", "the end, after parts", "PUT",
     lambda s: s.app.put(part(s.app, begun(s), "PATCH", 1000, 5000), DIGEST)),
    ("end-6", "the last part", "PUT",
     lambda s: part(s.app, begun(s), "PUT", 1000, 5000, digest=DIGEST)),
    ("end-6", "the last part, out of order", "PUT",
     lambda s: part(s.app, begun(s), "PUT", 2000, 5000, digest=DIGEST)),
    ("end-6", "an empty blob", "PUT", lambda s: s.app.put(s.app.open(), images.sha256(b""))),
    ("end-6", "a wrong digest", "PUT", lambda s: s.app.put(s.app.open(), WRONG, DATA)),
    ("end-6", "what is no digest", "PUT", lambda s: s.app.put(s.app.open(), "sha256:abc", DATA)),
    ("end-6", "no digest", "PUT", lambda s: s.app.send("PUT", s.app.where(s.app.open()), DATA)),
    ("end-6", "an upload that was given up", "PUT", lambda s: s.app.put(cancelled(s), DIGEST, DATA)),
    ("end-6", "an upload that has ended", "PUT", lambda s: s.app.put(ended(s), DIGEST, DATA)),
    ("end-6", NEVER, "PUT", lambda s: s.app.send("PUT", none(s, digest=DIGEST), DATA)),

    ("end-7a", "a manifest by tag", "PUT", lambda s: image(s).app.put_manifest("2", IMAGE)),
    ("end-7a", "a manifest by digest", "PUT",
     lambda s: image(s).app.put_manifest(IMAGE.digest, IMAGE)),
    ("end-7a", "a manifest with a subject", "PUT",
     lambda s: referred(s).app.put_manifest(SIGNATURE.digest, SIGNATURE)),
    ("end-7a", "a wrong digest", "PUT", lambda s: image(s).app.put_manifest(WRONG, IMAGE)),
    ("end-7a", "what is no JSON", "PUT", lambda s: image(s).app.put_manifest("2", b"nonsense")),
    ("end-7a", "with a blob that is not there", "PUT",
     lambda s: image(s).app.put_manifest("2", MISSING)),
    ("end-7a", "an index of what is not there", "PUT",
     lambda s: s.app.put_manifest("2", images.index([IMAGE]))),
    ("end-7a", "more than 4 MiB", "PUT", lambda s: image(s).app.put_manifest("2", LARGE)),
    ("end-7a", "in a repository that is not made", "PUT",
     lambda s: s.absent.put_manifest("2", IMAGE)),
    ("end-7a", LOGIN, "PUT", lambda s: s.closed.put_manifest("2", IMAGE)),
    ("end-7b", "by digest with two tags", "PUT",
     lambda s: image(s).app.put_manifest(IMAGE.digest, IMAGE, tag=["x", "y"])),

    ("end-8a", "tags", "GET", lambda s: image(s, "a", "b", "c").app.tags()),
    ("end-8a", "tags of a repository that is not there", "GET", lambda s: s.app.tags()),
    ("end-8a", LOGIN, "GET", lambda s: s.closed.tags()),
    ("end-8b", "the first two", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=2)),
    ("end-8b", "those behind one", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=2, last="b")),
    ("end-8b", "none of them", "GET", lambda s: image(s, "a", "b", "c").app.tags(n=0)),

    ("end-9", "a manifest by digest", "DELETE",
     lambda s: delete(image(s).app, f"manifests/{IMAGE.digest}")),
    ("end-9", "a manifest that is not there", "DELETE",
     lambda s: delete(image(s).app, f"manifests/{ABSENT}")),
    ("end-9", "a manifest that was deleted", "DELETE", lambda s: delete(
        deleted(image(s), f"manifests/{IMAGE.digest}").app, f"manifests/{IMAGE.digest}")),
    ("end-9", "a tag", "DELETE", lambda s: delete(image(s, "1", "2").app, "manifests/1")),
    ("end-9", "a tag that is not there", "DELETE", lambda s: delete(image(s).app, "manifests/2")),
    ("end-9", "where nothing is deleted", "DELETE",
     lambda s: delete(s.frozen, f"manifests/{IMAGE.digest}")),
    ("end-9", LOGIN, "DELETE",
     lambda s: delete(s.closed, f"manifests/{ABSENT}")),

    ("end-10", "a blob", "DELETE", lambda s: delete(image(s).app, f"blobs/{LAYER.digest}")),
    ("end-10", "a blob that is not there", "DELETE",
     lambda s: delete(image(s).app, f"blobs/{ABSENT}")),
    ("end-10", "a blob that was deleted", "DELETE", lambda s: delete(
        deleted(image(s), f"blobs/{LAYER.digest}").app, f"blobs/{LAYER.digest}")),
    ("end-10", "where nothing is deleted", "DELETE",
     lambda s: delete(s.frozen, f"blobs/{LAYER.digest}")),
    ("end-10", LOGIN, "DELETE", lambda s: delete(s.closed, f"blobs/{ABSENT}")),

    ("end-11", "mount a blob", "POST",
     lambda s: image(s).other.open(mount=LAYER.digest, from_=s.app.name)),
    ("end-11", "mount what is not there", "POST",
     lambda s: image(s).other.open(mount=ABSENT, from_=s.app.name)),
    ("end-11", "mount from a repository that is not there", "POST",
     lambda s: image(s).other.open(mount=LAYER.digest, from_=s.app.name + "-gone")),
    ("end-11", "mount from anywhere", "POST", lambda s: image(s).other.open(mount=LAYER.digest)),

    ("end-12a", "what refers to a manifest", "GET",
     lambda s: referred(s).app.referrers(IMAGE.digest)),
    ("end-12a", "what nothing refers to", "GET", lambda s: image(s).app.referrers(ABSENT)),
    ("end-12a", "what is no digest", "GET", lambda s: image(s).app.referrers("1")),
    ("end-12a", LOGIN, "GET", lambda s: s.closed.referrers(ABSENT)),
    ("end-12b", "only of one kind", "GET", lambda s: referred(s).app.referrers(
        IMAGE.digest, artifactType="application/vnd.testbed.bill")),

    ("end-13", "an upload that was begun", "GET", lambda s: s.app.status(s.app.open())),
    ("end-13", "an upload that has a part", "GET", lambda s: s.app.status(begun(s))),
    ("end-13", "an upload that was given up", "GET", lambda s: s.app.status(cancelled(s))),
    ("end-13", "an upload that has ended", "GET", lambda s: s.app.status(ended(s))),
    ("end-13", NEVER, "GET", lambda s: s.app.status(none(s))),

    ("end-14", "give up an upload", "DELETE", lambda s: s.app.cancel(begun(s))),
    ("end-14", "an upload that was given up", "DELETE", lambda s: s.app.cancel(cancelled(s))),
    ("end-14", NEVER, "DELETE", lambda s: s.app.cancel(none(s))),
]
