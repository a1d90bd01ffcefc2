# SPDX-License-Identifier: Apache-2.0
"""Swift: its URL, authentication, and the container.

The driver's own check queries Swift's capabilities, without authentication, and does nothing if
the URL comes from the service catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from backup_dispatch.examination.finding import Finding, Options, State, told_by

SINGLE_USER = "single_user"
SECONDS = 10.0
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404

MakeDriver = Callable[[], Any]


def swift(options: Options, module: dict[str, Any], make: MakeDriver) -> Iterator[Finding]:
    """Check the URL, and authenticate if the configuration has a user.

    :param module: the names in the driver's module.
    :param make: creates a driver object for a user, which does not connect yet.
    """
    if module.get("swift") is None:
        yield Finding(
            "package",
            State.DOWN,
            "The Python package python-swiftclient is not installed. Install it where Cinder is: "
            "pip install python-swiftclient",
        )
        return
    if options["backup_swift_auth"] == SINGLE_USER:
        yield from _as_one_user(options, make)
    else:
        yield from _as_each_user(options, module["swift"])


def _as_each_user(options: Options, client: Any) -> Iterator[Finding]:
    """Each backup is created with the requesting user's token: there is none here."""
    if not options["backup_swift_url"]:
        yield Finding(
            "options",
            State.UNKNOWN,
            f"{options.where('backup_swift_url')} is not set, so Swift's address comes from the "
            f"service catalog of each user ({options.set_to('swift_catalog_info')}); whether Swift "
            "answers is not known. Set backup_swift_url, or make a backup and see.",
        )
        return
    yield from _refuse_plain_account(options)
    connection = client.Connection(
        retries=0,
        preauthurl=options["backup_swift_url"],
        cacert=options["backup_swift_ca_cert_file"],
        insecure=options["backup_swift_auth_insecure"],
        timeout=SECONDS,
    )
    try:
        connection.get_capabilities()
    except Exception as error:
        if getattr(error, "http_status", None) not in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
            yield _unreachable(options, "backup_swift_url", error)
            return
    finally:
        connection.close()
    yield Finding("address")


def _refuse_plain_account(options: Options) -> Iterator[Finding]:
    """The driver appends the project's ID directly to this URL."""
    url = options["backup_swift_url"]
    if not url.endswith(("_", "/")):
        yield Finding(
            "options",
            State.WARN,
            f"{options.set_to('backup_swift_url')}: the project's id is put right behind it. "
            "Let it end with the prefix of accounts, most often /v1/AUTH_",
        )


def _as_one_user(options: Options, make: MakeDriver) -> Iterator[Finding]:
    missing = options.missing("backup_swift_user", "backup_swift_key")
    if missing:
        yield missing
        return
    if not options["backup_swift_auth_url"]:
        yield Finding(
            "options",
            State.UNKNOWN,
            f"{options.where('backup_swift_auth_url')} is not set, so the address to log in at "
            f"comes from the service catalog of each user; whether it answers is not known. Set "
            "backup_swift_auth_url.",
        )
        return
    connection = make().conn
    connection.retries, connection.timeout = 0, SECONDS
    container = options["backup_swift_container"]
    try:
        yield from _logged_in(options, connection, container)
    finally:
        connection.close()


def _logged_in(options: Options, connection: Any, container: str) -> Iterator[Finding]:
    user = options["backup_swift_user"]
    url = options["backup_swift_auth_url"]
    try:
        connection.get_auth()
    except Exception as error:
        if _status(error) in (UNAUTHORIZED, FORBIDDEN):
            text = (
                f"Swift at {url} refuses to log in the user {user} ({_status(error)}). Correct "
                f"{options.where('backup_swift_user')} and backup_swift_key."
            )
            yield Finding("login", State.DOWN, text)
        else:
            yield _unreachable(options, "backup_swift_auth_url", error)
        return
    yield Finding("login")
    try:
        connection.head_container(container)
    except Exception as error:
        if _status(error) == NOT_FOUND:
            yield Finding(f"container {container}, which the first backup makes")
        elif _status(error) == FORBIDDEN:
            text = (
                f"Swift at {url} does not let the user {user} look at "
                f"{options.set_to('backup_swift_container')} (403). Allow it, or name another."
            )
            yield Finding("container", State.UNWRITABLE, text)
        else:
            text = (
                f"Swift logs the user {user} in at {url} and then fails: {told_by(error)}. Look "
                "into Swift's log, and at the address that its catalog names."
            )
            yield Finding("container", State.DOWN, text)
        return
    yield Finding("container")


def _status(error: Exception) -> int | None:
    status = getattr(error, "http_status", None)
    # If Keystone refuses, the client reports no status.
    refused = "Unauthorized" in str(error) and type(error).__name__ == "ClientException"
    return UNAUTHORIZED if refused and not status else status


def _unreachable(options: Options, name: str, error: Exception) -> Finding:
    text = told_by(error)
    if "CERTIFICATE_VERIFY" in text:
        return Finding(
            "address",
            State.DOWN,
            f"{options.set_to(name)} shows a certificate that is not trusted. Name the authority "
            f"in {options.where('backup_swift_ca_cert_file')}.",
        )
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text:
        remedy = "It speaks no TLS there: write http://, or another port"
        return Finding("address", State.DOWN, f"{options.set_to(name)} does not answer. {remedy}.")
    return Finding(
        "address",
        State.DOWN,
        f"{options.set_to(name)} does not answer as Swift: {text}. Correct the address, or start "
        "Swift.",
    )
