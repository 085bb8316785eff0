# SPDX-License-Identifier: Apache-2.0
"""One HTTP request, exactly as written: no redirect followed, nothing decoded or retried."""

import base64
import hashlib
import http.client
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def digest(self):
        return "sha256:" + hashlib.sha256(self.body).hexdigest()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connect(url, ca=None, verify=True, timeout=30, source=None):
    """A connection to http://host:port, https://host:port or unix:/path, not yet opened.

    `source` is the address to come from: every one of 127.0.0.0/8 is another client.
    """
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:"), timeout)
    parts = urlsplit(url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout,
                                          source_address=(source, 0) if source else None)
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def send(url, target, *, method="GET", headers=None, body=None, ca=None, verify=True, timeout=30,
         source=None):
    """Sends a request; returns the connection and the response, whose body is not yet read."""
    connection = connect(url, ca, verify, timeout, source)
    try:
        try:
            connection.request(method, target, body=body, headers=headers or {})
        except BrokenPipeError:
            pass    # it may have answered before it had the whole body
        return connection, connection.getresponse()
    except BaseException:
        connection.close()
        raise


def fetch(url, target, **options):
    """Sends a request and reads the whole answer. Takes the options of `send`."""
    connection, response = send(url, target, **options)
    try:
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
