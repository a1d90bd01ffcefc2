# SPDX-License-Identifier: Apache-2.0
"""What to say where Cinder's database cannot be used: its own reason, without the SQL around it."""

from __future__ import annotations

from oslo_config import cfg
from oslo_db import exception as db_exception
from sqlalchemy import exc

from backup_dispatch.errors import one_line

ERRORS = (db_exception.DBError, db_exception.CantStartEngineError, exc.SQLAlchemyError)
"""What Cinder's database code raises where the database, or the way to it, is amiss."""

_NO_SUCH = ("no such table", "no such column", "(1146,", "(1054,")
"""SQLite's words, and MySQL's numbers, for a table or a column that is not there."""

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
    """What the database said, without the statement and its parameters."""
    said = error
    while within := getattr(said, "inner_exception", None) or getattr(said, "orig", None):
        said = within
    # MySQL's errors are a number and a text.
    texts = [one for one in getattr(said, "args", ()) if isinstance(one, str)]
    text = one_line(texts[-1] if texts else str(said)).partition(" [SQL:")[0]
    return text.partition("(Background on")[0].strip().rstrip(".") or type(said).__name__


def _which() -> str:
    """The file of SQLite: it is another one for each state_path."""
    try:
        connection = cfg.CONF.database.connection or ""
    except cfg.Error:
        return ""
    return f" ({connection})" if connection.startswith("sqlite:") else ""
