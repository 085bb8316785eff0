# SPDX-License-Identifier: Apache-2.0
"""A server of one JSON Web Key Set that counts who asks for it.

    with JwksServer(authority, [issuer.jwk()]) as keys:
        auth = {"jwt": [{"jwks": keys.url}]}     # and SSL_CERT_FILE in the gateway's environment
        keys.publish(other.jwk())
"""

import http.server
import json
import ssl
import threading

from .certificates import Authority


class JwksServer:
    def __init__(self, authority: Authority, keys: list[dict]):
        self._lock = threading.Lock()
        self._answer = (200, b"")
        self._paths: list[str] = []
        self.publish(*keys)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with outer._lock:
                    outer._paths.append(self.path)
                    status, body = outer._answer
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        certificate = authority.issue("jwks", ["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain_path, certificate.key_path)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                  do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,),
                                        daemon=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/jwks.json"
        self.environment = {"SSL_CERT_FILE": str(authority.certificate_path)}

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def publish(self, *keys: dict) -> None:
        """From now on these are the keys."""
        self.answer(200, json.dumps({"keys": keys}).encode())

    def answer(self, status: int, body: bytes) -> None:
        with self._lock:
            self._answer = (status, body)

    @property
    def fetches(self) -> int:
        with self._lock:
            return len(self._paths)
