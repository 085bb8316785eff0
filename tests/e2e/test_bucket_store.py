# SPDX-License-Identifier: Apache-2.0
"""The cache's content in a real S3 server: the tests of src/s3/bucket_server_test.cc."""

import os
import re
import subprocess
from pathlib import Path

from testbed import fairlead


def program():
    """$FAIRLEAD_S3_TEST, else beside the program under test."""
    return os.environ.get("FAIRLEAD_S3_TEST") or str(
        Path(fairlead.binary()).with_name("src") / "s3_test")


def test_the_bucket_store_keeps_what_stores_promise(rgw):
    rgw.make_bucket("store")
    done = subprocess.run(
        [program(), "--gtest_filter=ServerBucket*", "--gtest_brief=1"],
        env={**os.environ, "FAIRLEAD_TEST_S3_ENDPOINT": rgw.endpoint,
             "FAIRLEAD_TEST_S3_BUCKET": "store",
             "FAIRLEAD_TEST_S3_ACCESS_KEY": rgw.access_key,
             "FAIRLEAD_TEST_S3_SECRET_KEY": rgw.secret_key},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    assert "SKIPPED" not in done.stdout
    passed = re.search(r"PASSED +\] (\d+) tests", done.stdout)
    assert passed and int(passed[1]) >= 25, done.stdout
