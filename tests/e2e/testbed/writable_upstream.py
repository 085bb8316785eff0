# SPDX-License-Identifier: Apache-2.0
"""A registry that takes what is pushed, has the referrers API, and misbehaves on command.

    with WritableUpstream() as upstream:
        upstream.fault("PUT", "/manifests/", failing(429, headers={"Retry-After": "7"}))

Its faults, and what it saw, are those of `FaultyUpstream`.
"""

from .faulty_upstream import FaultyUpstream
from .upstream_faults import Answer, Request
from .upstream_uploads import Writes


class WritableUpstream(FaultyUpstream):
    def __init__(self, **options):
        super().__init__(**options)
        self.writes = Writes(self.manifests, self.blobs)

    def _truth(self, request: Request) -> Answer:
        # Who asks for a token, or has none, gets the same answer whatever the method.
        answer = super()._truth(request)
        return answer if answer.status == 401 else self.writes.answer(request) or answer
