# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a registry that misbehaves on command, and gateways in front of it.

    from testbed.misbehaving import gateway, upstream  # noqa: F401
"""

import pytest

from .faulty_upstream import FaultyUpstream
from .pulling import IMPATIENT, serving


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        yield server


@pytest.fixture
def gateway(upstream):
    with serving(upstream) as fairlead:
        yield fairlead


@pytest.fixture
def impatient(upstream):
    with serving(upstream, timeouts=IMPATIENT) as fairlead:
        yield fairlead
