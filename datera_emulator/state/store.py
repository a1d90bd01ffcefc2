# SPDX-License-Identifier: Apache-2.0
"""Persistent state: one SQLite table of JSON documents.

A request's changes are one transaction, committed before the request is answered. The journal is
sqlite's write-ahead log; ``synchronous=NORMAL`` survives the end of the process at any instruction
(``kill -9``), as promised, but not a power failure.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from datera_emulator.documents import Document

Key = tuple[str, str]  # kind, identity within the kind


class Store:
    """Documents by kind and identity. One caller at a time: the cluster's lock is enough."""

    def __init__(self, path: Path) -> None:
        # CHAP secrets are in it in cleartext, as a target needs them.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents ("
            " kind TEXT NOT NULL, identity TEXT NOT NULL, document TEXT NOT NULL,"
            " PRIMARY KEY (kind, identity)) WITHOUT ROWID"
        )

    def read(self, kind: str) -> Iterator[tuple[str, Document]]:
        """Yield every document of one kind with its identity."""
        rows = self._database.execute(
            "SELECT identity, document FROM documents WHERE kind = ? ORDER BY identity", (kind,)
        )
        for identity, document in rows:
            yield identity, json.loads(document)

    def read_one(self, kind: str, identity: str) -> Document | None:
        """Return one document; None where there is none."""
        row = self._database.execute(
            "SELECT document FROM documents WHERE kind = ? AND identity = ?", (kind, identity)
        ).fetchone()
        if row is None:
            return None
        document: Document = json.loads(row[0])
        return document

    def write(self, changes: Iterable[tuple[Key, Document | None]]) -> None:
        """Commit all changes or none; None deletes.

        :raises sqlite3.Error: the database could not be written; nothing was changed.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for (kind, identity), document in changes:
                if document is None:
                    self._database.execute(
                        "DELETE FROM documents WHERE kind = ? AND identity = ?", (kind, identity)
                    )
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                        (kind, identity, json.dumps(document, separators=(",", ":"))),
                    )
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()
