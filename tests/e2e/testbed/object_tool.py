# SPDX-License-Identifier: Apache-2.0
"""Fairlead's own client of S3, by a program that is built for tests only.

    with ObjectTool(endpoint, "bucket", access_key, secret_key) as objects:
        objects.ask("put", b"some key", b"bytes", "text/plain", "")     # []
        objects.ask("head", b"gone")                                    # ObjectError

tests/testing/s3_object_tool.cc lists the questions; answers are lists of bytes.
"""

import os
import subprocess
from pathlib import Path

from . import fairlead


def program():
    """$S3_OBJECT_TOOL, else beside the program under test."""
    return os.environ.get("S3_OBJECT_TOOL") or str(
        Path(fairlead.binary()).with_name("s3_object_tool"))


class ObjectError(Exception):
    """`code` as base/error.h has it in words: "not found"."""

    def __init__(self, code, context):
        super().__init__(f"{code}: {context}")
        self.code, self.context = code, context


class ObjectTool:
    def __init__(self, endpoint, bucket, access_key, secret_key, style="path", region="us-east-1",
                 env=None):
        environment = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key,
                       **(env or {})}
        self._process = subprocess.Popen([program(), endpoint, bucket, style, region],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)

    def ask(self, question, *fields):
        fields = [field if isinstance(field, bytes) else str(field).encode() for field in fields]
        self._process.stdin.write("\t".join([question, *(field.hex() for field in fields)]) + "\n")
        self._process.stdin.flush()
        outcome, *answer = self._process.stdout.readline().rstrip("\n").split("\t")
        answer = [bytes.fromhex(field) for field in answer]
        if outcome != "ok":
            raise ObjectError(*(field.decode() for field in answer))
        return answer
