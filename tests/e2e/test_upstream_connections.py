# SPDX-License-Identifier: Apache-2.0
"""The way to an upstream: through the proxies that the environment names, and over HTTP/2."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from testbed.certificates import Authority
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import assert_right, manifest, pull, serving
from testbed.registry import Registry
from testbed.upstream_faults import digest_of, patterned

LAYER = patterned(100_000, seed=1)


class Proxy:
    """A forward proxy: CONNECT, and requests with a whole URL. It notes the first request of each
    connection."""

    def __init__(self):
        self.asked = []  # "CONNECT host:port", "GET http://..."
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            line, rest = head.split(b"\r\n", 1)
            method, target, version = line.decode().split(" ")
            self.asked.append(f"{method} {target}")
            place = urlsplit(f"//{target}" if method == "CONNECT" else target)
            with socket.create_connection((place.hostname, place.port)) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    path = place._replace(scheme="", netloc="").geturl()
                    server.sendall(f"{method} {path} {version}\r\n".encode() + rest)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source, sink):
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy():
    with Proxy() as running:
        yield running


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.add_image("app", "1", [LAYER])
        yield server


@pytest.fixture
def secure(tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate = authority.issue("registry", ["127.0.0.1", "localhost"])
    with Registry(tls=certificate) as registry:
        registry.authority = str(authority.certificate_path)
        yield registry


def test_http_goes_through_the_proxy_of_the_environment(upstream, proxy):
    with serving(upstream, env={"http_proxy": proxy.url}) as gateway:
        assert manifest(gateway, "1").status == 200
        assert_right(pull(gateway, digest_of(LAYER)), LAYER)
    assert f"HEAD {upstream.url}/v2/app/manifests/1" in proxy.asked


def test_not_to_hosts_that_are_excepted(upstream, proxy):
    env = {"http_proxy": proxy.url, "no_proxy": "example.org,127.0.0.1"}
    with serving(upstream, env=env) as gateway:
        assert manifest(gateway, "1").status == 200
    assert proxy.asked == []


def test_a_proxy_that_is_configured_goes_before_the_environment(upstream, proxy):
    env = {"http_proxy": "http://127.0.0.1:1", "no_proxy": "*"}
    with serving(upstream, env=env, proxy=proxy.url) as gateway:
        assert manifest(gateway, "1").status == 200
    assert proxy.asked


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_a_tunnel(secure, proxy, variable):
    host = secure.host
    with serving(secure, env={variable: proxy.url}, ca=secure.authority) as gateway:
        assert manifest(gateway, "absent").status == 404
    assert set(proxy.asked) == {f"CONNECT {host}"}


def test_the_certificates_that_the_environment_trusts(secure, proxy):
    env = {"SSL_CERT_FILE": secure.authority}
    with serving(secure, env=env) as gateway:
        assert manifest(gateway, "absent").status == 404
    with serving(secure, env=env | {"HTTPS_PROXY": proxy.url}) as gateway:
        assert manifest(gateway, "absent").status == 404
    assert proxy.asked
    with serving(secure) as gateway:
        answer = manifest(gateway, "absent")
        assert answer.status == 502
        assert b"not trusted" in answer.body


def test_manifests_come_over_http2(secure):
    with serving(secure, ca=secure.authority) as gateway:
        assert manifest(gateway, "absent").status == 404
    assert secure.protocols() == {"HTTP/2.0"}
