# SPDX-License-Identifier: Apache-2.0
"""The ways an upstream's answer can be wrong, odd or late.

A fault is a function (Answer, Request) -> Answer over the correct answer. It sends nothing itself:
an Answer says all that is to go over the wire, also what no honest server does (a Content-Length
that is not the body's, an end in the middle), and testbed/faulty_upstream.py does as it says.
Holding waits for a Gate, never for time.
"""

import gzip
import hashlib
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

HTML = (
    b"<!DOCTYPE html><html><head><title>Oops</title></head><body>A proxy's own words</body></html>"
)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def patterned(size: int, seed: int = 0) -> bytes:
    """`size` bytes that are the same in every process and differ at every offset and seed."""
    block = b"".join(
        hashlib.sha256(b"%d/%d" % (seed, n)).digest() for n in range(min(size, 1 << 20) // 32 + 1)
    )
    return b"".join(block + struct.pack(">I", n) for n in range(size // len(block) + 1))[:size]


class Gate:
    """Holds an answer: the server sets `reached` and waits until the test calls `open`."""

    def __init__(self):
        self.reached = threading.Event()
        self.released = threading.Event()

    def open(self) -> None:
        self.released.set()

    def hold(self) -> None:
        self.reached.set()
        self.released.wait(30)

    def wait_reached(self, deadline: float = 10.0) -> None:
        if not self.reached.wait(deadline):
            raise TimeoutError("no request came to the gate")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes = b""
    target: str = ""  # path and query as sent

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bytes | None = None  # the resource without regard to Range, where there is one
    declared: int | None = None  # Content-Length as told; None: the truth
    chunked: bool = False
    before_head: Gate | None = None
    hold: tuple[int, Gate] | None = None  # after so many bytes of body
    cut_after: int | None = None  # connection ends after so many bytes of body
    reset: bool = False  # ends by RST, not FIN
    silent: bool = False  # the connection ends instead of an answer


Fault = Callable[[Answer, Request], Answer]


def changed(**fields) -> Fault:
    return lambda answer, _: replace(answer, **fields)


def stalled(gate: Gate) -> Fault:
    return changed(before_head=gate)


def held_at(count: int, gate: Gate) -> Fault:
    return changed(hold=(count, gate))


def cut(count: int, reset: bool = False) -> Fault:
    return changed(cut_after=count, reset=reset)


def hung_up() -> Fault:
    """No answer at all: the connection ends."""
    return changed(silent=True)


def too_few_bytes(missing: int) -> Fault:
    """The right Content-Length, then a connection that ends early."""
    return lambda answer, _: replace(answer, declared=len(answer.body), body=answer.body[:-missing])


def too_many_bytes(extra: int) -> Fault:
    return lambda answer, _: replace(answer, body=answer.body + b"X" * extra)


def other_bytes(at: int = -1) -> Fault:
    """As many bytes as promised, one of them wrong; the last by default."""

    def lie(answer: Answer, _: Request) -> Answer:
        body = bytearray(answer.body)
        if body:
            body[at] ^= 0xFF
        return replace(answer, body=bytes(body))

    return lie


def wrong_length(off_by: int) -> Fault:
    return lambda answer, _: replace(answer, declared=len(answer.body) + off_by)


def chunked() -> Fault:
    return changed(chunked=True)


def ignoring_range() -> Fault:
    def lie(answer: Answer, _: Request) -> Answer:
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
        return replace(answer, status=200, headers=headers, body=answer.whole)

    return lie


def wrong_range(shift: int = 0, total_off_by: int = 0) -> Fault:
    """A 206 with another part than was asked, and saying so, or with another size of the whole."""

    def lie(answer: Answer, _: Request) -> Answer:
        if answer.status != 206:
            return answer
        first = max(0, len(answer.whole) - len(answer.body) + shift)
        body, size = answer.whole[first:], len(answer.whole)
        told = f"bytes {first}-{size - 1}/{size + total_off_by}"
        return replace(answer, body=body, headers=answer.headers | {"Content-Range": told})

    return lie


def failing(
    status: int, body: bytes = HTML, kind: str = "text/html", headers: dict | None = None
) -> Fault:
    return lambda *_: Answer(status, {"Content-Type": kind} | (headers or {}), body)


def redirected(status: int, location: str | Callable[[Request], str]) -> Fault:
    return lambda _, request: Answer(
        status, {"Location": location(request) if callable(location) else location}
    )


def with_headers(**headers: str | None) -> Fault:
    """Adds or, where None, drops headers; `_` in a name stands for `-`."""

    def dress(answer: Answer, _: Request) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(
            answer, headers={k: v for k, v in (answer.headers | names).items() if v is not None}
        )

    return dress


def without_digest() -> Fault:
    return with_headers(Docker_Content_Digest=None)


def gzipped() -> Fault:
    """Content-Encoding nobody asked for."""
    return lambda answer, _: replace(
        answer,
        body=gzip.compress(answer.body),
        headers=answer.headers | {"Content-Encoding": "gzip"},
    )
