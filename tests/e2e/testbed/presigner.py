# SPDX-License-Identifier: Apache-2.0
"""Fairlead's own signing, by a program that is built for tests only.

    with Presigner(endpoint, "bucket", access_key, secret_key) as signer:
        url = signer.presign(b"some key", expiry=60)
        url, headers = signer.sign(b"some key")

`seconds_from_now` sets the signer's clock; `fetch` requests a URL byte for byte as it is.
"""

import http.client
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from . import fairlead


def program():
    """$S3_PRESIGN_TOOL, else beside the program under test."""
    return os.environ.get("S3_PRESIGN_TOOL") or str(
        Path(fairlead.binary()).with_name("s3_presign_tool"))


class Presigner:
    def __init__(self, endpoint, bucket, access_key, secret_key, style="path", region="us-east-1",
                 seconds_from_now=0):
        environment = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
        self._process = subprocess.Popen(
            [program(), endpoint, bucket, style, region, str(seconds_from_now)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)

    def presign(self, key, expiry=60, method="GET", **parameters):
        """`response_content_type` is the parameter response-content-type."""
        return self._ask("presign", str(expiry), method, key, parameters)[0]

    def sign(self, key, method="GET", payload_hash="UNSIGNED-PAYLOAD", **parameters):
        url, *headers = self._ask("sign", payload_hash, method, key, parameters)
        return url, dict(header.split(":", 1) for header in headers)

    def _ask(self, kind, argument, method, key, parameters):
        fields = [f"{name.replace('_', '-')}={value}".encode().hex()
                  for name, value in parameters.items()]
        line = "\t".join([kind, argument, method, key.hex(), *fields])
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip("\n").split("\t")
        assert answer[0].startswith("http"), answer
        return answer


def fetch(url, method="GET", headers=None, address=None):
    """(status, headers, body). `address`: (host, port) to connect to instead of the URL's."""
    parts = urlsplit(url)
    host, port = address or (parts.hostname, parts.port)
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        target = url[url.index(parts.netloc) + len(parts.netloc):]
        connection.request(method, target, headers={"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
