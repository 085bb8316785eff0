# SPDX-License-Identifier: Apache-2.0
"""A gateway in front of an `UploadSink`, and uploads that are begun.

    from testbed.streaming import gateway, sink     # noqa: F401
"""

import pytest

from . import images
from .push_protocol import Repository, writable
from .upload_sink import UploadSink
from .upstream_faults import patterned

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
DATA = patterned(3 * MIB, seed=11)
DIGEST = images.sha256(DATA)


@pytest.fixture
def sink():
    with UploadSink() as server:
        yield server


@pytest.fixture
def gateway(sink):
    """Does not keep what is pushed, so that nothing of it is to be on the disk."""
    with serving(sink) as running:
        yield running


def serving(upstream, write_through=False, **more):
    return writable(upstream, cache={"write_through": write_through}, **more)


def begun(gateway, name="team/app"):
    """A repository, and where its upload goes on."""
    app = Repository(gateway.url, name)
    answer = app.open()
    assert answer.status == 202, answer.body
    return app, app.where(answer)
