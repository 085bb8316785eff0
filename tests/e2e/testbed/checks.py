# SPDX-License-Identifier: Apache-2.0
"""What every answer of a registry must keep to."""

import json
import re


def assert_error(answer, status, *codes):
    """The answer is that status with an error document of the OCI kind with one of `codes`."""
    assert answer.status == status, (answer.status, answer.body[:300])
    assert answer.headers.get_content_type() == "application/json"
    errors = json.loads(answer.body)["errors"]
    assert errors and all(re.fullmatch("[A-Z_]+", error["code"]) for error in errors)
    assert all(error.get("message") for error in errors)
    assert errors[0]["code"] in codes, errors


def etag(digest):
    return f'"{digest}"'
