# SPDX-License-Identifier: Apache-2.0
"""What a gateway says of itself: GET /ready, and what its log tells of a bucket."""

import re

from . import raw_http
from .waiting import wait_until


def ready(gateway) -> list[str]:
    """The lines of /ready, which is 200 whatever is wrong; so is /health, which says no more."""
    answer = raw_http.fetch(gateway.host, "/ready")
    assert answer.status == 200 and answer.complete, answer
    health = raw_http.fetch(gateway.host, "/health")
    assert (health.status, health.body.strip()) == (200, b"ok")
    return answer.body.decode().splitlines()


def wait_until_degraded(gateway, beginning: str, words: str, timeout=30) -> str:
    """Waits for a line that begins so, and in which the regular expression `words` is found."""
    def look():
        first, *lines = ready(gateway)
        found = [line for line in lines if line.startswith(beginning)]
        assert len(found) <= 1 and (first == "degraded") == bool(lines), (first, lines)
        return found and re.search(words, found[0], re.IGNORECASE) and found[0]

    try:
        return wait_until(look, f"/ready to tell of {words!r}", timeout, every=0.1)
    except AssertionError as error:
        raise AssertionError(f"{error}: {ready(gateway)}") from None


def wait_until_well(gateway, timeout=60) -> None:
    wait_until(lambda: ready(gateway) == ["ok"], "/ready to say ok", timeout, every=0.1)


def told_of(gateway, what: str) -> list[dict]:
    """The lines of the log about it, those of requests left out."""
    return [line for line in gateway.log()
            if line.get("message") != "request" and what in str(line)]
