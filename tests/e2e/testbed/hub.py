# SPDX-License-Identifier: Apache-2.0
"""Docker Hub's rate limit, as a fault of a `FaultyUpstream`.

    limit = HubLimit(100, remaining=3)
    upstream.fault("*", "/manifests/", limit)

Each GET of a manifest counts; HEAD is free, and tells the count as well. When nothing is left,
manifests are answered with 429 until the test sets `remaining` anew.
"""

from dataclasses import replace

from .upstream_faults import Answer, Request


class HubLimit:
    def __init__(self, limit: int = 100, remaining: int | None = None, window: int = 21600):
        self.limit = limit
        self.remaining = limit if remaining is None else remaining
        self.window = window

    def __call__(self, answer: Answer, request: Request) -> Answer:
        is_refused = False
        if request.method == "GET" and answer.status == 200:
            is_refused = self.remaining == 0
            self.remaining = max(0, self.remaining - 1)
        headers = {
            "ratelimit-limit": f"{self.limit};w={self.window}",
            "ratelimit-remaining": f"{self.remaining};w={self.window}",
            "docker-ratelimit-source": "192.0.2.7",
        }
        if is_refused:
            body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit reached"}]}'
            return Answer(429, headers | {"Content-Type": "application/json"}, body)
        return replace(answer, headers=answer.headers | headers)
