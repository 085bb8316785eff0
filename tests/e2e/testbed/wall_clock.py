# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test sets, for one program; its steady clock goes on as it does."""

import subprocess
from pathlib import Path

DAY = 24 * 3600


class WallClock:
    """`environment` goes to the program; `set(days)` is away from the true time."""

    def __init__(self, directory: Path):
        library = directory / "wall_clock.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        self._offset = directory / "offset"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self._offset)}

    def set(self, days: int) -> None:
        new = self._offset.with_suffix(".new")
        new.write_text(f"{days * DAY}\n")
        new.replace(self._offset)
