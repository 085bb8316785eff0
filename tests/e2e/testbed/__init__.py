# SPDX-License-Identifier: Apache-2.0
"""Real registries, real clients and the real Fairlead binary, for tests.

Everything listens on a free port of 127.0.0.1 or on a socket in a temporary directory, keeps
its state in a temporary directory, and is ended by process id when its `with` block ends.
"""
