"""Rows that must be found again by their id while a district is read, kept on disk so that memory stays flat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

AT_ONCE = 500


class Store:
    """A temporary file of rows: kind and sourcedId → JSON bytes, and which students a school has."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE row (kind TEXT, id TEXT, body BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID;"
            "CREATE TABLE place (school TEXT, id TEXT, PRIMARY KEY (school, id)) WITHOUT ROWID;"
        )

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def put(self, kind: str, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep rows by id; a later one of the same id replaces the earlier."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO row VALUES (?, ?, ?)", ((kind, key, body) for key, body in rows))
        self._file.execute("COMMIT")

    def get(self, kind: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Id → row, of those that are kept."""
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT id, body FROM row WHERE kind = ? AND id IN ({marks})"  # noqa: S608 - question marks only
            found.update(self._file.execute(query, (kind, *some)))
        return found

    def ids(self, kind: str) -> set[str]:
        """Every id kept of a kind."""
        return {key for (key,) in self._file.execute("SELECT id FROM row WHERE kind = ?", (kind,))}

    def place(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Keep that a school has a student; each pair is (school, student)."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO place VALUES (?, ?)", pairs)
        self._file.execute("COMMIT")

    def count(self, school: str) -> int:
        """How many students a school has."""
        return int(self._file.execute("SELECT count(*) FROM place WHERE school = ?", (school,)).fetchone()[0])

    def students(self, school: str, *, first: int, size: int) -> list[str]:
        """Ids of a school's students in order, ``size`` of them from place ``first`` (0 is the beginning)."""
        query = "SELECT id FROM place WHERE school = ? ORDER BY id LIMIT ? OFFSET ?"
        return [key for (key,) in self._file.execute(query, (school, size, first))]

    def schools(self) -> set[str]:
        """Every school that has a student."""
        return {school for (school,) in self._file.execute("SELECT DISTINCT school FROM place")}
