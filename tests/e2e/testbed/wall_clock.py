# SPDX-License-Identifier: Apache-2.0
"""Clocks that a test sets, for one program: the wall clock, or the steady one.

    clock = WallClock(directory)            # or SteadyClock
    with serving(upstream, env=clock.environment) as gateway:
        clock.set(1)                        # tomorrow
"""

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

DAY = 24 * 3600


@functools.cache
def _library() -> Path:
    """What is preloaded, made once a run."""
    directory = Path(tempfile.mkdtemp(prefix="wall-clock-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    library = directory / "wall_clock.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


class _Clock:
    _variable: str

    def __init__(self, directory: Path):
        self._offset = directory / f"offset-{self._variable.lower()}"
        self._write(0)
        self.environment = {"LD_PRELOAD": str(_library()), self._variable: str(self._offset)}

    def _write(self, seconds: int) -> None:
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.replace(self._offset)


class WallClock(_Clock):
    """`environment` goes to the program; `set(days)` is away from the true time."""

    _variable = "WALL_CLOCK_OFFSET"

    def set(self, days: float) -> None:
        self._write(int(days * DAY))


class SteadyClock(_Clock):
    """`advance(seconds)` is as if so much time had gone by: nothing waits for it."""

    _variable = "STEADY_CLOCK_OFFSET"
    _seconds = 0

    def advance(self, seconds: int) -> None:
        self._seconds += seconds
        self._write(self._seconds)
