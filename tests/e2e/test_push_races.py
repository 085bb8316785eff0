# SPDX-License-Identifier: Apache-2.0
"""Pulls that are under way while something is pushed or deleted: an answer that the registry began to
give before does not bring back what was."""

import json
import threading

import pytest
from testbed import images
from testbed.faulty_upstream import MANIFEST, FaultyUpstream
from testbed.push_protocol import Repository, writable
from testbed.upstream_faults import Answer, digest_of, held_at, patterned, stalled
from testbed.waiting import wait_until

LAYER = patterned(600_000, seed=4)
NEW = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [], "config": {
    "mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
    "digest": images.sha256(b"{}")}}).encode()


@pytest.fixture
def upstream():
    """Has an image `1`; takes NEW as whatever it is pushed, and deletes what it is told to."""
    with FaultyUpstream() as server:
        server.old = server.add_image("app", "1", [LAYER])

        def taken(_, request):
            reference = request.path.rpartition("/")[2]
            server.add_manifest("app", reference if ":" not in reference else None, NEW)
            return Answer(201, {"Docker-Content-Digest": digest_of(NEW),
                                "Location": f"/v2/app/manifests/{digest_of(NEW)}"})

        def deleted(_, request):
            kind, reference = request.path.rpartition("/")[0], request.path.rpartition("/")[2]
            held = server.blobs if kind.endswith("blobs") else server.manifests
            gone = [key for key in held if key == ("app", reference)
                    or "manifests" in kind and digest_of(held[key][1]) == reference]
            for key in gone:
                del held[key]
            return Answer(202 if gone else 404)

        server.fault("PUT", "/manifests/", taken)
        server.fault("DELETE", "/", deleted)
        yield server


@pytest.fixture
def app(upstream):
    """One worker, that has had an answer of the registry before."""
    with writable(upstream, of_all={"fresh_for": "1h"}, server={"workers": 1}) as gateway:
        found = Repository(gateway.url, "app")
        found.gateway = gateway
        assert found.manifest("none").status == 404
        yield found


class Meanwhile:
    """A request that is under way: its answer is held at the registry."""

    def __init__(self, gate, ask):
        self._gate = gate
        self.answer = None

        def run():
            self.answer = ask()

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def __enter__(self):
        self._gate.wait_reached()
        return self

    def __exit__(self, *_):
        self._gate.open()
        self._thread.join()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
def test_a_tag_that_is_moved_while_it_is_asked_for(upstream, app, method, known):
    gate = upstream.gate()
    if known:
        assert app.manifest("2").status == 404
        assert app.manifest(upstream.old).status == 200
    upstream.fault("*", "/manifests/1$", stalled(gate), times=1)
    upstream.rules.sort(key=lambda rule: rule.method != "*")
    with Meanwhile(gate, lambda: app.manifest("1", method)) as pull:
        upstream.rules[:] = [rule for rule in upstream.rules if rule.left != 0]
        pushing = threading.Thread(target=lambda: setattr(app, "pushed", app.put_manifest("1", NEW)))
        pushing.start()
        wait_until(lambda: upstream.seen("PUT", "/manifests/1"), "the push")
        pushing.join(5)
        assert not pushing.is_alive(), "the push waits for the pull"
        assert app.pushed.status == 201
        assert app.manifest("1").body == NEW
    assert pull.answer.status == 200
    for asked in ("GET", "HEAD"):
        answer = app.manifest("1", asked)
        assert answer.headers["Docker-Content-Digest"] == digest_of(NEW)


def test_a_tag_that_is_deleted_while_it_is_asked_for(upstream, app):
    gate = upstream.gate()
    upstream.fault("GET", "/manifests/1$", stalled(gate), times=1)
    upstream.fault("HEAD", "/manifests/1$", stalled(gate), times=1)
    with Meanwhile(gate, lambda: app.manifest("1")):
        assert app.send("DELETE", app.target(f"manifests/{upstream.old}")).status == 202
    for reference in ("1", upstream.old):
        assert app.manifest(reference).status == 404


def test_a_blob_that_is_deleted_while_it_is_pulled(upstream, app):
    """Who pulls it has it to its end, or sees that he has not; the next one has nothing."""
    gate, digest = upstream.gate(), digest_of(LAYER)
    upstream.fault("GET", f"/blobs/{digest}", held_at(1000, gate), times=1)
    with Meanwhile(gate, lambda: app.blob(digest)) as pull:
        assert app.send("DELETE", app.target(f"blobs/{digest}")).status == 202
        assert app.blob(digest, "HEAD").status == 404
    assert pull.answer.body == LAYER
    app.gateway.wait_until_idle()
    assert app.blob(digest).status == 404


@pytest.mark.parametrize("change", ["push", "delete"])
def test_a_list_of_tags_that_changes_while_it_is_asked_for(upstream, app, change):
    gate = upstream.gate()
    upstream.add_manifest("app", "0", NEW)
    upstream.fault("GET", "/tags/list", stalled(gate), times=1)
    with Meanwhile(gate, app.tags) as pull:
        if change == "push":
            assert app.put_manifest("2", NEW).status == 201
        else:
            assert app.send("DELETE", app.target("manifests/1")).status == 202
    assert json.loads(pull.answer.body)["tags"] == ["0", "1"]
    assert json.loads(app.tags().body)["tags"] == (["0", "1", "2"] if change == "push" else ["0"])
    upstream.stop()
    assert json.loads(app.tags().body)["tags"] == (["0", "1", "2"] if change == "push" else ["0"])


def test_two_pushes_of_one_tag_at_once(upstream, app):
    """What the registry took last is what the tag means; here nobody can tell, so it is asked."""
    gate = upstream.gate()
    other = NEW + b" "

    def taken(answer, request):
        upstream.add_manifest("app", "3", request.body)
        return Answer(201, {"Docker-Content-Digest": digest_of(request.body)}, before_head=(
            gate if request.body == other else None))

    upstream.rules.clear()
    upstream.fault("PUT", "/manifests/3", taken)
    with Meanwhile(gate, lambda: app.put_manifest("3", other)) as first:
        assert app.put_manifest("3", NEW).status == 201
        assert app.manifest("3").body == NEW
    assert first.answer.status == 201
    assert upstream.manifests["app", "3"][1] == NEW
    assert app.manifest("3").body == NEW
