# SPDX-License-Identifier: Apache-2.0
"""S3: the endpoint, the keys, and the bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from backup_dispatch.examination.finding import Finding, Options, State, told_by

KEYS_REFUSED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "403"})
DENIED = frozenset({"AccessDenied", "403"})
ABSENT = frozenset({"NoSuchBucket", "404"})


def s3(options: Options, module: dict[str, Any], make: Callable[[], Any]) -> Iterator[Finding]:
    """Check everything that the driver needs before it writes.

    :param module: the names in the driver's module.
    :param make: creates a driver object, which does not connect yet.
    """
    if module.get("boto3") is None:
        yield Finding(
            "package",
            State.DOWN,
            "The Python package boto3 is not installed. Install it where Cinder is: pip install "
            "boto3",
        )
        return
    missing = options.missing(
        "backup_s3_endpoint_url", "backup_s3_store_access_key", "backup_s3_store_secret_key"
    )
    if missing:
        yield missing
        return
    try:
        client = make().conn
    except ValueError as error:
        text = f"{options.set_to('backup_s3_endpoint_url')}: {told_by(error)}. Write a whole URL."
        yield Finding("options", State.DOWN, text)
        return
    try:
        # The driver's own check lists them: without that permission the service cannot start.
        client.list_buckets()
    except Exception as error:
        yield _refused(options, error)
        return
    yield Finding("login")
    yield _bucket(options, client)


def _refused(options: Options, error: Exception) -> Finding:
    url = options.set_to("backup_s3_endpoint_url")
    code, kind, text = _code(error), type(error).__name__, told_by(error)
    if code in KEYS_REFUSED:
        why = (
            f"{url} refuses the keys ({code}). Correct "
            f"{options.where('backup_s3_store_access_key')} and backup_s3_store_secret_key."
        )
    elif code in DENIED:
        why = (
            f"{url} does not let these keys list buckets, which Cinder's driver does at its start. "
            "Allow s3:ListAllMyBuckets."
        )
    elif kind == "SSLError" and "CERTIFICATE_VERIFY" in text:
        why = (
            f"{url} shows a certificate that is not trusted. Name the authority in "
            f"{options.where('backup_s3_ca_cert_file')}."
        )
    elif kind == "SSLError":
        why = f"{url} speaks no TLS there. Write http://, or another port."
    else:
        why = f"{url} does not answer as S3: {text}. Correct the address, or start the server."
    return Finding("login", State.DOWN, why)


def _bucket(options: Options, client: Any) -> Finding:
    bucket = options["backup_s3_store_bucket"]
    where = options.set_to("backup_s3_store_bucket")
    try:
        client.head_bucket(Bucket=bucket)
    except Exception as error:
        code = _code(error)
        if code in ABSENT:
            return _absent(options, bucket, where)
        if code in DENIED:
            why = (
                f"{where}: these keys may not look at this bucket. Allow s3:ListBucket, or name "
                "another bucket."
            )
        else:
            why = f"{where} cannot be used: {told_by(error)}. Name another bucket."
        return Finding("bucket", State.UNWRITABLE, why)
    return Finding("bucket")


def _absent(options: Options, bucket: str, where: str) -> Finding:
    if options.creates_containers:
        return Finding(f"bucket {bucket}, which the first backup makes")
    return Finding(
        "bucket",
        State.UNWRITABLE,
        f"{where} does not exist, and backup_create_containers is off. Make the bucket.",
    )


def _code(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""
