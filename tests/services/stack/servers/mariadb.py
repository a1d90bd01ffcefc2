# SPDX-License-Identifier: Apache-2.0
"""Debian's MariaDB on a free loopback port, with an empty database for Cinder."""

from __future__ import annotations

import getpass
import secrets
import subprocess
from pathlib import Path
from typing import Any

from demo.servers.processes import Servers, environment
from demo.waiting import until
from tests.services.stack.servers.loopback import HOST, free_port

SECONDS = 120.0
ANSWER_SECONDS = 30
USER = "cinder"


class MariaDb:
    """A database server.

    :param directory: private; everything lies below it.
    """

    def __init__(self, directory: Path, servers: Servers) -> None:
        self._directory = directory
        self._servers = servers
        self._password = secrets.token_hex(8)
        self.port = free_port()

    def url(self, database: str) -> str:
        """The value for ``[database] connection``."""
        place = f"{USER}:{self._password}@{HOST}:{self.port}/{database}"
        return f"mysql+pymysql://{place}?charset=utf8"

    @property
    def locks_url(self) -> str:
        """The value for ``[coordination] backend_url``: the server's named locks."""
        return f"mysql://{USER}:{self._password}@{HOST}:{self.port}/cinder"

    def launch(self) -> None:
        """Create the database's files and start it without waiting."""
        data = self._directory / "data"
        data.mkdir(parents=True)
        who = f"--user={getpass.getuser()}"
        with (self._directory / "install.log").open("wb") as log:
            subprocess.run(
                [
                    "mariadb-install-db", "--no-defaults", who, f"--datadir={data}",
                    "--auth-root-authentication-method=normal", "--skip-test-db",
                ],
                env=environment(), stdout=log, stderr=log, timeout=SECONDS, check=True,
            )  # fmt: skip
        first = self._directory / "first.sql"
        first.touch(mode=0o600)
        first.write_text(
            f"CREATE DATABASE IF NOT EXISTS cinder CHARACTER SET utf8;\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'{HOST}' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'{HOST}';\n"
        )
        self._servers.launch(
            "mariadb",
            [
                "mariadbd", "--no-defaults", who, f"--datadir={data}", f"--port={self.port}",
                f"--bind-address={HOST}", f"--socket={self._directory / 'socket'}",
                f"--pid-file={self._directory / 'pid'}", f"--init-file={first}",
                "--skip-name-resolve", "--max-connections=1000",
                # Data loss in a crash of the machine does not matter here.
                "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin",
            ],
        )  # fmt: skip

    def await_ready(self) -> None:
        """Return once Cinder's user can log in."""
        until("MariaDB", self._lets_in, seconds=SECONDS)

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Return the result of a query of Cinder's database."""
        from pymysql.cursors import DictCursor

        with self._connection(cursorclass=DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def change(self, statement: str, *values: Any) -> None:
        """Change Cinder's database."""
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            connection.commit()

    def _connection(self, **more: Any) -> Any:
        import pymysql

        return pymysql.connect(
            host=HOST, port=self.port, user=USER, password=self._password, database="cinder",
            connect_timeout=ANSWER_SECONDS, read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS, **more,
        )  # fmt: skip

    def _lets_in(self) -> bool:
        self._servers.check()
        self._connection().close()
        return True
