# SPDX-License-Identifier: Apache-2.0
"""Messages for when Cinder's database cannot be used: its own error, without the SQL."""

from __future__ import annotations

from oslo_config import cfg
from oslo_db import exception as db_exception
from sqlalchemy import exc

from backup_dispatch.errors import one_line

ERRORS = (db_exception.DBError, db_exception.CantStartEngineError, exc.SQLAlchemyError)
"""The exceptions of Cinder's database code if the database, or the connection to it, fails."""

_NO_SUCH = ("no such table", "no such column", "(1146,", "(1054,")
"""SQLite's texts, and MySQL's error numbers, for a missing table or column."""

_DRIVERS = ("pymysql", "MySQLdb", "psycopg2")


def is_databases(error: BaseException) -> bool:
    """Whether the error is the database's, or that of a missing Python driver for it."""
    if isinstance(error, ModuleNotFoundError):
        return error.name in _DRIVERS
    return isinstance(error, ERRORS)


def unusable(error: BaseException) -> str:
    """One line: which database, its own reason, and what to try."""
    said = str(error)
    if "database is locked" in said:
        return (
            f"Cinder's database cannot be used{_which()}: {reason(error)}. Another process writes "
            "to it: try again."
        )
    if any(one in said for one in _NO_SUCH) or isinstance(error, db_exception.DBNonExistentTable):
        remedy = "It has no tables of this release of Cinder"
    else:
        remedy = "cinder-backup may well be able to use it"
    return (
        f"Cinder's database cannot be used{_which()}: {reason(error)}. {remedy}: look at "
        "[database] connection, run this as the user of cinder-backup (sudo -u cinder …), and name "
        "its cinder.conf with --config-file."
    )


def reason(error: BaseException) -> str:
    """The database's error, without the statement and its parameters."""
    said = error
    while within := getattr(said, "inner_exception", None) or getattr(said, "orig", None):
        said = within
    # MySQL's errors have a number and a text.
    texts = [one for one in getattr(said, "args", ()) if isinstance(one, str)]
    text = one_line(texts[-1] if texts else str(said)).partition(" [SQL:")[0]
    return text.partition("(Background on")[0].strip().rstrip(".") or type(said).__name__


def _which() -> str:
    """SQLite's file, which depends on state_path."""
    try:
        connection = cfg.CONF.database.connection or ""
    except cfg.Error:
        return ""
    return f" ({connection})" if connection.startswith("sqlite:") else ""
