# SPDX-License-Identifier: Apache-2.0
"""`fairlead cache ...` on the directory of a gateway, running or not.

    assert cache(gateway, "stats")["contents"] == 3
"""

import json

from . import fairlead


def run(gateway, *arguments, env=None, timeout=30):
    """The command with the gateway's configuration; has returncode, stdout, stderr."""
    return fairlead.run("cache", *arguments, "--config", gateway.config_path, env=env,
                        timeout=timeout)


def cache(gateway, *arguments, code=0):
    """What the command says with --json; it must end with the exit code `code`."""
    done = run(gateway, *arguments, "--json")
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)
