# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, all pushing and pulling through one Fairlead, and a restart in between."""

import itertools
import secrets
import socket
import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from testbed import clients, images
from testbed.contents import contents
from testbed.fairlead import Fairlead
from testbed.http_request import basic, connect, fetch
from testbed.oci_layout import LocalImage, everything
from testbed.passwords import htpasswd
from testbed.push_targets import ALICE, configuration, under
from testbed.pushing import ALL
from testbed.registry import Registry
from testbed.waiting import wait_until
from testbed.wire_proxy import WireProxy
from testbed.writable_upstream import WritableUpstream

SECONDS = 6
WAYS = {"docker": "docker push", "containerd": "ctr push", "podman": "podman manifest push",
        "buildah": "buildah manifest push", "skopeo": "skopeo copy", "skopeo2": "skopeo sync",
        "skopeo3": "skopeo copy", "skopeo4": "skopeo copy"}


@pytest.fixture(scope="module")
def registry():
    with Registry() as running:
        yield running


@pytest.fixture
def crowd(all_clients):
    """By the names of `WAYS`; each is used by one thread."""
    with ExitStack() as stack:
        yield {name: all_clients[name] if name in clients.ALL else stack.enter_context(clients.Skopeo())
               for name in WAYS}


def new_image(directory, shared):
    """What nobody has seen, upon a layer that all images have."""
    unique = secrets.token_hex(8)
    return LocalImage(directory, images.index([
        images.image([shared, images.noise_layer(unique, 2_000_000), images.noise_layer(each, 500)], each)
        for each in ("amd64", "arm64")]))


def test_eight_clients_push_and_pull(registry, crowd, tmp_path):
    shared = images.noise_layer("shared", 1_000_000)
    pushed, failures = [], []
    with Fairlead(configuration(registry)) as gateway:
        said = len(gateway.log())       # a warning that everybody may push
        ends = time.monotonic() + SECONDS

        def work(name):
            way, client, number = ALL[WAYS[name]], crowd[name], 0
            try:
                while time.monotonic() < ends or not number:
                    path = f"apps/{name}/n{number}"
                    image = new_image(tmp_path / name / str(number), shared)
                    digest = way.push({way.client: client}, image, gateway.host, path, "1")
                    pull = getattr(client, "pull_direct", client.pull)
                    assert digest in pull(gateway.host, path, "1")
                    pushed.append((way, image, path, digest))
                    number += 1
            except BaseException as error:      # of a thread: told by the test
                failures.append((name, error))

        threads = [threading.Thread(target=work, args=(name,)) for name in WAYS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not failures, failures
        assert {path.split("/")[1] for _, _, path, _ in pushed} == set(WAYS)
        for way, image, path, digest in pushed:
            found = contents(registry, under(path), "1")
            assert next(iter(found)) == digest
            if way.keeps:
                assert found == everything(image.content)
            assert contents(gateway, path, "1") == found
        assert max(record.status for record in gateway.records()) < 500
        assert {line["level"] for line in gateway.log()[said:]} <= {"info", "debug"}
        gateway.wait_until_idle()


def test_one_tag_pushed_by_all_at_once():
    """The last one wins, at the registry and here: both mean the same then. docker-registry itself
    fails at times where a tag is read that is being written, and so is not asked."""
    shared = images.noise_layer("shared", 1000)
    made = [images.image([shared, images.noise_layer(f"racer{number}", 200_000)]) for number in range(8)]
    with WritableUpstream() as registry, Fairlead(configuration(registry)) as gateway:
        failures = []

        def race(content):
            try:
                for _ in range(5):
                    images.push(gateway.url, "apps/race", content, "1")
                    contents(gateway, "apps/race", "1")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=race, args=(content,)) for content in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        at_the_registry = contents(registry, under("apps/race"), "1")
        assert contents(gateway, "apps/race", "1") == at_the_registry
        assert at_the_registry in [everything(content) for content in made]


def test_all_push_the_same_at_once(crowd, tmp_path):
    """To one repository, which has none of it: uploads of the same blob do not get in each other's
    way. In docker-registry itself they do."""
    image = new_image(tmp_path, images.noise_layer("same", 1_000_000))
    with WritableUpstream() as registry, Fairlead(configuration(registry)) as gateway:
        failures = []

        def push(name):
            try:
                crowd[name].push(image, gateway.host, "apps/same", name)
            except BaseException as error:
                failures.append((name, error))

        threads = [threading.Thread(target=push, args=(name,)) for name in crowd if "skopeo" in name]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        for name in (name for name in crowd if "skopeo" in name):
            for server, path in ((gateway, "apps/same"), (registry, under("apps/same"))):
                assert contents(server, path, name) == everything(image.content)
        gateway.wait_until_idle()


# -- two gateways -----------------------------------------------------------------------------


class Alternating(WireProxy):
    """One connection goes to the one, the next to the other, as before several gateways."""

    def __init__(self, *servers):
        super().__init__(servers[0])
        self._servers = itertools.cycle([(parts.hostname, parts.port) for parts in map(urlsplit, servers)])

    @property
    def _server(self):
        return next(self._servers)

    @_server.setter
    def _server(self, _):
        pass


def test_two_gateways_with_the_same_keys(registry, all_clients, tmp_path):
    """Whoever takes the next request of an upload, it goes on; also for clients of the field."""
    keys = {"keys": [secrets.token_hex(32)], "anonymous": ["pull", "push"]}
    image = new_image(tmp_path, images.noise_layer("both", 2_000_000))
    with (Fairlead(configuration(registry, keys)) as one, Fairlead(configuration(registry, keys)) as two):
        with Alternating(one.url, two.url) as both:
            both.url = both.endpoint
            images.push(both.url, "apps/both", image.content, "raw")
            for name in ("docker push", "podman push", "skopeo copy", "ctr push"):
                way, tag = ALL[name], name.replace(" ", "-")
                digest = way.push_anew(all_clients, image, both.url.split("://")[1], "apps/both2", tag)
                assert next(iter(contents(registry, under("apps/both2"), tag))) == digest
        for gateway in (one, two):
            assert contents(gateway, "apps/both", "raw") == everything(image.content)
            assert gateway.records(method="PUT", status=201), "all went to the other one"
            assert max(record.status for record in gateway.records()) < 500


# -- a restart --------------------------------------------------------------------------------


def begin(gateway, path):
    return fetch(gateway.url, f"/v2/{path}/blobs/uploads/", method="POST").headers["Location"]


def patch(gateway, location, data, result):
    answer = fetch(gateway.url, location, method="PATCH", body=data, timeout=60,
                   headers={"Content-Type": "application/octet-stream", "Content-Length": str(len(data))})
    result.append(answer)


def test_a_restart_ends_what_runs_and_the_upload_goes_on(registry):
    """SIGTERM in the midst of a PATCH: it is ended, and the next process takes what comes next."""
    first, second = images.noise_layer("first", 3_000_000).blob.data, b"and the rest"
    with WireProxy(registry.url) as wire:
        wire.url = wire.endpoint
        with Fairlead(configuration(wire)) as gateway:
            location = begin(gateway, "apps/web")
            answers = []
            wire.hold_uploads_after(500_000)
            running = threading.Thread(target=patch, args=(gateway, location, first, answers))
            running.start()
            wire.wait_until_held()
            gateway.terminate()
            wait_until(lambda: not _accepts(gateway), "the listener to close")
            assert gateway.is_running and not answers, "it did not wait for the upload"
            wire.release()
            running.join()
            assert gateway.wait() == 0
            assert [answer.status for answer in answers] == [202], answers[0].body
            assert answers[0].headers["Range"] == f"0-{len(first) - 1}"

            gateway.start()
            whole = images.Blob(first + second)
            told = fetch(gateway.url, answers[0].headers["Location"])
            assert (told.status, told.headers["Range"]) == (204, f"0-{len(first) - 1}")
            joint = "&" if "?" in told.headers["Location"] else "?"
            ended = fetch(gateway.url, f"{told.headers['Location']}{joint}digest={whole.digest}",
                          method="PUT", body=second)
            assert ended.status == 201, ended.body
            assert fetch(gateway.url, f"/v2/apps/web/blobs/{whole.digest}").body == whole.data
            assert fetch(registry.url, f"/v2/{under('apps/web')}/blobs/{whole.digest}").body == whole.data


def _accepts(gateway):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gateway.port)) == 0


def test_a_reload_disturbs_no_push(registry, all_clients, tmp_path):
    image = LocalImage(tmp_path, images.image([images.noise_layer(secrets.token_hex(8), 5_000_000)]))
    users, carol = tmp_path / "users", {"carol": "who is new"}
    auth = {"users": str(htpasswd(users, dict([ALICE]))), "anonymous": [], "rules": [
        {"who": "*", "repositories": ["apps/**"], "actions": ["pull", "push"]}]}
    with WireProxy(registry.url) as wire:
        wire.url = wire.endpoint
        with Fairlead(configuration(wire, auth)) as gateway:
            failures = []
            wire.hold_uploads_after(500_000)

            def push():
                try:
                    all_clients["skopeo"].push(image, gateway.host, "apps/reloaded", "1",
                                               "--dest-creds", ":".join(ALICE))
                except clients.CommandFailed as failure:
                    failures.append(failure)

            running = threading.Thread(target=push)
            running.start()
            wire.wait_until_held()
            htpasswd(users, dict([ALICE]) | carol)
            gateway.reload()
            sources = (f"127.0.1.{number}" for number in itertools.count(1))
            wait_until(lambda: fetch(gateway.url, "/v2/", source=next(sources), headers={
                "Authorization": basic("carol", carol["carol"])}).status == 200, "the reload", every=0.1)
            wire.release()
            running.join()
            assert failures == []
            assert contents(registry, under("apps/reloaded"), "1") == everything(image.content)


def test_a_real_push_is_drained(registry, all_clients, tmp_path):
    """containers/image sends a layer in one PATCH; what comes after it meets nobody, and is refused
    at once. The next push finds the gateway as if nothing had been."""
    image = LocalImage(tmp_path, images.image([images.noise_layer(secrets.token_hex(8), 5_000_000)]))
    with WireProxy(registry.url) as wire:
        wire.url = wire.endpoint
        with Fairlead(configuration(wire)) as gateway:
            said = []
            wire.hold_uploads_after(500_000)

            def push():
                try:
                    all_clients["skopeo"].push(image, gateway.host, "apps/drained", "1")
                except clients.CommandFailed as failure:
                    said.append(failure.said)

            running = threading.Thread(target=push)
            running.start()
            wire.wait_until_held()
            gateway.terminate()
            wait_until(lambda: not _accepts(gateway), "the listener to close")
            wire.release()
            assert gateway.wait() == 0
            running.join()
            assert all("<html" not in words.lower() for words in said)
            patches = [record for record in gateway.records(method="PATCH")]
            assert patches and {record.status for record in patches} == {202}

            gateway.start()
            all_clients["skopeo"].push(image, gateway.host, "apps/drained", "1")
            assert contents(gateway, "apps/drained", "1") == everything(image.content)
            assert contents(registry, under("apps/drained"), "1") == everything(image.content)
            assert gateway.unfinished() == []


def test_the_drain_has_an_end(registry):
    """A client that sends nothing more is not waited for for ever."""
    settings = configuration(registry) | {"server": {"limits": {"drain": "1s"}}}
    with Fairlead(settings) as gateway:
        location = begin(gateway, "apps/slow")
        connection = connect(gateway.url)
        connection.putrequest("PATCH", location)
        connection.putheader("Content-Length", "1000000")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.endheaders()
        connection.send(b"x" * 1000)
        started = time.monotonic()
        gateway.terminate()
        gateway.wait(15)
        assert time.monotonic() - started < 10
        connection.close()
