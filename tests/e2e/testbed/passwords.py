# SPDX-License-Identifier: Apache-2.0
"""htpasswd files with bcrypt lines, made by Apache's own program.

    path = htpasswd(directory / "htpasswd", {"alice": "secret", "bob": "other"})
"""

import functools
import subprocess
from pathlib import Path

COST = 8  # the lowest that nothing warns of: some 15 ms a check


@functools.lru_cache(maxsize=None)
def line(user: str, password: str, cost: int = COST) -> str:
    """One line, `user:$2y$...`, without its end."""
    done = subprocess.run(["htpasswd", "-B", "-C", str(cost), "-i", "-n", user], check=True,
                          input=password, capture_output=True, text=True)
    return done.stdout.strip()


def htpasswd(path: Path, users: dict[str, str], cost: int = COST) -> Path:
    """Replaces the file at once, as a reader that looks meanwhile would want it."""
    new = path.with_name(path.name + ".new")
    new.write_text("".join(f"{line(user, password, cost)}\n" for user, password in users.items()))
    new.chmod(0o600)
    return new.replace(path)
