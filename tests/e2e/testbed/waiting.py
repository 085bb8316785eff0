# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true. The one place of the testbed that sleeps."""

import time


def wait_until(condition, what, timeout=10.0, every=0.005):
    """Returns the first true value of `condition()`; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(every)
