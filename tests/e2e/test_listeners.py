# SPDX-License-Identifier: Apache-2.0
"""Where Fairlead listens, with which certificate, and how it stops."""

import shutil
import socket
import ssl

import pytest

from testbed import clients, images
from testbed.blob_reader import BlobReader
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.http_request import connect, fetch
from testbed.registry import Registry
from testbed.throttle import HoldingProxy
from testbed.waiting import wait_until

MANIFEST = "/v2/upstream.test/team/app/manifests/1.0"


def test_health_and_readiness(served):
    for target in ("/health", "/ready"):
        for method in ("GET", "HEAD"):
            assert fetch(served.url, target, method=method).status == 200


def test_connections_are_kept(served):
    connection = connect(served.url)
    for target in ("/v2/", "/health", "/v2/team/app/manifests/no-such-tag", "/v2/"):
        connection.request("GET", target, headers={"User-Agent": "keeps-connections"})
        response = connection.getresponse()
        response.read()
        assert not response.will_close
    connection.close()
    records = served.wait_for_records(4, user_agent="keeps-connections")
    assert len({record.peer for record in records}) == 1


def test_unix_socket_and_several_listeners(upstream, pushed, directory):
    path = directory / "fairlead.sock"
    config = upstream.config(server={"listen": [f"unix:{path}", "127.0.0.1:0"]})
    with Fairlead(config) as fairlead:
        assert f"unix:{path}" in fairlead.urls
        for url in fairlead.urls:
            assert fetch(url, MANIFEST).digest == pushed.multi_arch.digest


def test_a_socket_left_by_a_crash_is_taken_over(upstream, directory):
    config = upstream.config(server={"listen": [f"unix:{directory}/fairlead.sock"]})
    with Fairlead(config) as fairlead:
        fairlead.kill()
        fairlead.restart()
        assert fetch(fairlead.url, "/v2/").status == 200


def tls_settings(certificate, directory):
    """Copies of the certificate's files, for the server to read again when they change."""
    chain, key = directory / "tls.pem", directory / "tls.key"
    for source, place in ((certificate.chain_path, chain), (certificate.key_path, key)):
        shutil.copy(source, f"{place}.new")
        shutil.move(f"{place}.new", place)
    return {"certificate": str(chain), "key": str(key)}


def presented_serial(fairlead, authority):
    context = ssl.create_default_context(cafile=str(authority.certificate_path))
    with socket.create_connection(("127.0.0.1", fairlead.port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            return int(connection.getpeercert()["serialNumber"], 16)


def test_tls_and_a_new_certificate_while_running(upstream, pushed, authority, directory):
    first, second = (authority.issue(name, ["127.0.0.1"]) for name in ("first", "second"))
    config = upstream.config(server={"tls": tls_settings(first, directory)})
    with Fairlead(config) as fairlead:
        assert fairlead.url.startswith("https://")
        assert presented_serial(fairlead, authority) == first.serial
        ca = authority.certificate_path
        assert fetch(fairlead.url, MANIFEST, ca=ca).digest == pushed.multi_arch.digest
        blob = pushed.multi_arch.children[0].blobs[1]
        for _ in ("cold", "hot"):
            answer = fetch(fairlead.url, f"/v2/upstream.test/team/app/blobs/{blob.digest}", ca=ca)
            assert answer.digest == blob.digest

        kept = connect(fairlead.url, ca)
        kept.request("GET", "/v2/")
        kept.getresponse().read()
        tls_settings(second, directory)
        fairlead.reload()
        wait_until(lambda: presented_serial(fairlead, authority) == second.serial,
                   "the new certificate")
        kept.request("GET", "/v2/")                 # a connection of before goes on
        assert kept.getresponse().status == 200
        kept.close()


def test_tls_on_a_plain_listener_is_refused_at_once(served):
    """Clients try TLS first: where the answer is silence, each of their pulls begins 10 s late."""
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", served.port), timeout=3) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        assert not isinstance(refused.value, TimeoutError), "no answer within 3 s"


def test_a_certificate_that_cannot_be_read_changes_nothing(upstream, authority, directory):
    first = authority.issue("kept", ["127.0.0.1"])
    settings = tls_settings(first, directory)
    with Fairlead(upstream.config(server={"tls": settings})) as fairlead:
        with open(settings["certificate"], "w") as chain:
            chain.write("no certificate")
        seen = len(fairlead.log())
        fairlead.reload()
        wait_until(lambda: [line for line in fairlead.log()[seen:]
                            if line["level"] in ("warn", "error")], "a complaint in the log")
        assert fairlead.is_running
        assert presented_serial(fairlead, authority) == first.serial


def test_a_real_client_over_tls(all_clients, upstream, pushed, authority, directory):
    certificate = authority.issue("client", ["127.0.0.1"])
    shutil.copy(authority.certificate_path, directory / "ca.crt")
    skopeo = all_clients["skopeo"]
    config = upstream.config(server={"tls": {"certificate": str(certificate.chain_path),
                                             "key": str(certificate.key_path)}})
    with Fairlead(config) as fairlead:
        copied = skopeo.copy(clients.join(f"{fairlead.host}/upstream.test/team/app", "1.0"),
                             "--src-cert-dir", directory)
        assert images.sha256((copied / "manifest.json").read_bytes()) == pushed.multi_arch.digest


def test_a_running_download_finishes_before_the_end(tmp_path):
    blob = images.PatternBlob(20 << 20, seed=7)
    with Registry(tmp_path) as registry, HoldingProxy(registry.url) as proxy:
        images.push(registry.url, "team/app", images.large_image(blob), "1")
        proxy.hold_blobs_after(4 << 20)
        with Fairlead({"registries": {"upstream.test": {"url": proxy.url}},
                       "routes": [{"match": "", "to": "upstream.test/"}]}) as fairlead:
            reader = BlobReader(fairlead.host, f"/v2/team/app/blobs/{blob.digest}")
            begun = reader.read(1 << 20)
            proxy.wait_until_held()
            fairlead.terminate()
            wait_until(lambda: refuses(fairlead.port), "new connections to be refused")
            assert fairlead.is_running
            proxy.release()
            assert begun + reader.read() == blob.slice(0, blob.size - 1)
            assert fairlead.wait() == 0


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_idle_connections_do_not_hold_up_the_end(upstream):
    with Fairlead(upstream.config()) as fairlead:
        idle = [connect(fairlead.url) for _ in range(5)]
        for connection in idle[1:]:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        idle[0].connect()
        fairlead.terminate()
        assert fairlead.wait(timeout=5) == 0
        for connection in idle:
            connection.close()


def test_the_drain_has_an_end(tmp_path):
    blob = images.PatternBlob(20 << 20, seed=8)
    with Registry(tmp_path) as registry, HoldingProxy(registry.url) as proxy:
        images.push(registry.url, "team/app", images.large_image(blob), "1")
        proxy.hold_blobs_after(4 << 20)
        with Fairlead({"server": {"limits": {"drain": "500ms"}},
                       "registries": {"upstream.test": {"url": proxy.url}},
                       "routes": [{"match": "", "to": "upstream.test/"}]}) as fairlead:
            reader = BlobReader(fairlead.host, f"/v2/team/app/blobs/{blob.digest}")
            reader.read(1 << 20)
            proxy.wait_until_held()
            fairlead.terminate()
            fairlead.wait(timeout=10)
            reader.read()
            assert not reader.is_complete
            assert [path for path in fairlead.cache_directory.rglob("*")
                    if path.is_file() and blob.digest.split(":")[1] in path.name
                    and "tmp" not in path.parts] == []


@pytest.mark.parametrize("method", ["BREW", "PUT", "DELETE"])
def test_methods_on_health(served, method):
    assert fetch(served.url, "/health", method=method).status in (404, 405, 501)


def test_errors_are_documents_everywhere(served):
    assert_error(fetch(served.url, "/v2/team/app/unknown/x"), 404, "NAME_UNKNOWN", "UNSUPPORTED")
