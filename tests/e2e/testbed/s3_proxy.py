# SPDX-License-Identifier: Apache-2.0
"""An S3 server that misbehaves on command: RGW, behind a proxy with the faults of an upstream.

    with S3Proxy(rgw.endpoint) as proxy:
        proxy.fault("GET", "/data$", s3_error(503, "SlowDown"), times=1)
        bucket(rgw, "registry", endpoint=proxy.url)

Paths of faults are those of requests, /BUCKET/KEY, without the query.
"""

import http.client
from urllib.parse import urlsplit

from .faulty_upstream import FaultyUpstream
from .upstream_faults import Answer, Fault, Request, failing

_LEFT_OUT = {"connection", "content-length", "transfer-encoding"}


class S3Proxy(FaultyUpstream):
    def __init__(self, endpoint):
        self._endpoint = urlsplit(endpoint)
        super().__init__()

    def _truth(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._endpoint.hostname, self._endpoint.port, timeout=20)
        try:
            # With the Host as it was, for it is signed; RGW takes any address for its own.
            connection.request(request.method, request.target, request.body or None, request.headers)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.headers.items()
                       if name.lower() not in _LEFT_OUT}
            body = answer.read()
            declared = answer.headers["Content-Length"] if request.method == "HEAD" else None
            return Answer(answer.status, headers, body,
                          declared=int(declared) if declared is not None else None)
        finally:
            connection.close()


def s3_error(status: int, code: str, fields: str = "", headers: dict | None = None) -> Fault:
    """An error as S3 says it; `fields` are more elements of its document."""
    body = (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
            f"<Message>S3's own words</Message>{fields}<RequestId>1</RequestId></Error>")
    return failing(status, body.encode(), "application/xml", headers)
