# SPDX-License-Identifier: Apache-2.0
"""A database that cannot be used is told in its own words, without SQL."""

from __future__ import annotations

import pytest
import sqlalchemy
from oslo_db import exception as db_exception
from sqlalchemy import exc

from backup_dispatch import database


class Refused(Exception):
    """As MySQL's drivers raise it: a number and a text."""


DENIED = Refused(1045, "Access denied for user 'cinder'@'localhost' (using password: YES)")


BACKGROUND = "(Background on this error at: https://sqlalche.me/e/20/e3q8)"
WITH_SQL = f"(x.Error) away\n[SQL: SELECT 1]\n{BACKGROUND}"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (db_exception.DBError(exc.OperationalError("SELECT 1", {}, DENIED)), DENIED.args[1]),
        (exc.OperationalError("SELECT 1", {}, DENIED), DENIED.args[1]),
        (db_exception.DBConnectionError(exc.OperationalError("SELECT 1", {}, DENIED)), "Access d"),
        (db_exception.DBError(db_exception.DBError(DENIED)), f": {DENIED.args[1]}"),
        (
            db_exception.DBError(Exception(WITH_SQL)),
            ") away.",
        ),
        (db_exception.DBError(Exception(f"(x.Error) away {BACKGROUND}")), ") away."),
        (ModuleNotFoundError("No module named 'pymysql'", name="pymysql"), "'pymysql'"),
        (db_exception.CantStartEngineError("No connection"), "No connection"),
    ],
)
def test_the_reason_is_the_databases_own_and_one_line(error: Exception, told: str) -> None:
    assert database.is_databases(error)
    text = database.unusable(error)
    assert told in text
    assert "SELECT" not in text
    assert "sqlalche.me" not in text
    assert "sudo -u cinder" in text
    assert "--config-file" in text


def test_a_file_that_may_not_be_opened_or_has_no_tables_says_so() -> None:
    with pytest.raises(exc.OperationalError) as away:
        sqlalchemy.create_engine("sqlite:////nonexistent/c.sqlite").connect()
    assert ": unable to open database file. " in database.unusable(away.value)
    with (
        sqlalchemy.create_engine("sqlite://").connect() as empty,
        pytest.raises(exc.OperationalError) as no_table,
    ):
        empty.execute(sqlalchemy.text("SELECT * FROM backups"))
    assert "no such table: backups. It has no tables of this" in database.unusable(no_table.value)


@pytest.mark.parametrize(
    "said", [Refused(1146, "Table 'c.backups' doesn't exist"), Refused(1054, "Unknown column 'x'")]
)
def test_tables_of_another_release_in_mysql_are_told_as_that(said: Refused) -> None:
    text = database.unusable(db_exception.DBError(exc.ProgrammingError("SELECT 1", {}, said)))
    assert f": {said.args[1]}. It has no tables of this release of Cinder" in text


def test_a_locked_database_is_to_be_tried_again() -> None:
    text = database.unusable(exc.OperationalError("SELECT 1", {}, Refused("database is locked")))
    assert text.endswith("database is locked. Another process writes to it: try again.")


def test_other_errors_are_not_the_databases() -> None:
    assert not database.is_databases(ModuleNotFoundError("boto3", name="boto3"))
    assert not database.is_databases(OSError("away"))
