# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Storage: the credentials' file, the login, and the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from backup_dispatch.examination.finding import Finding, Options, State, told_by

FORBIDDEN = 403


def gcs(options: Options, module: dict[str, Any], make: Callable[[], Any]) -> Iterator[Finding]:
    """Check everything that the driver needs before it writes.

    :param module: the names in the driver's module.
    :param make: creates a driver object, which does not connect yet.
    """
    if module.get("service_account") is None:
        yield Finding(
            "package",
            State.DOWN,
            "Google's packages are not installed. Install them where Cinder is: pip install "
            "google-api-python-client google-auth google-auth-httplib2",
        )
        return
    missing = options.missing(
        "backup_gcs_bucket", "backup_gcs_credential_file", "backup_gcs_project_id"
    )
    if missing:
        yield missing
        return
    wrong = _credentials(options)
    if wrong:
        yield wrong
        return
    yield _bucket(options, make().conn)


def _credentials(options: Options) -> Finding | None:
    where = options.set_to("backup_gcs_credential_file")
    try:
        with open(options["backup_gcs_credential_file"], encoding="utf-8") as file:
            kind = json.load(file).get("type")
    except OSError as error:
        text = f"{where} cannot be read: {error.strerror}. Name a file that this user may read."
        return Finding("credentials", State.DOWN, text)
    except (AttributeError, ValueError):
        kind = None
    if kind != "service_account":
        text = f"{where} holds no key of a service account. Download one as JSON from Google."
        return Finding("credentials", State.DOWN, text)
    return None


def _bucket(options: Options, connection: Any) -> Finding:
    project = options["backup_gcs_project_id"]
    bucket = options["backup_gcs_bucket"]
    where = options.set_to("backup_gcs_bucket")
    try:
        # The driver's request before each backup.
        asked = connection.buckets().list(project=project, prefix=bucket, fields="items(name)")
        found = [one.get("name") for one in asked.execute().get("items", [])]
    except Exception as error:
        status = getattr(getattr(error, "resp", None), "status", None)
        if status == FORBIDDEN:
            text = (
                f"Google does not let this account list the buckets of "
                f"{options.set_to('backup_gcs_project_id')} (403). Allow storage.buckets.list."
            )
            return Finding("bucket", State.UNWRITABLE, text)
        text = (
            f"Google's storage cannot be used: {told_by(error)}. Correct "
            f"{options.where('backup_gcs_credential_file')} and backup_gcs_project_id, or the way "
            "to the Internet (backup_gcs_proxy_url)."
        )
        return Finding("login", State.DOWN, text)
    if bucket in found:
        return Finding("login and bucket")
    if options.creates_containers:
        return Finding(f"login; bucket {bucket} is made by the first backup")
    text = f"{where} does not exist, and backup_create_containers is off. Make the bucket."
    return Finding("bucket", State.UNWRITABLE, text)
