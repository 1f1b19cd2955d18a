"""Consoles of their own, each with a database of its own, run by real `manage.py` processes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from integrations.sandbox.server import Sandbox
from tests.processes import embedded_env, manage
from tests.world import configuration, host_of

POSTGRES = os.environ.get("DATABASE_URL", "").startswith("postgres")
LEFT_OUT = {
    "students_student": {"id", "family_id"},
    "students_enrollment": {"id", "student_id", "school_id", "academic_year_id"},
    "students_contact": {"id"},
    "students_studentcontact": {"id", "student_id", "contact_id"},
    "students_studentallergy": {"id", "student_id"},
    "students_studentphoto": {"id", "student_id", "image", "received"},
    "integrations_sourcerecord": {"id", "missing_since"},
}
SHOWN = {
    "students_student": "SELECT {columns} FROM students_student t",
    "students_enrollment": "SELECT p.local_id, s.code, y.name, {columns} FROM students_enrollment t "
    "JOIN students_student p ON p.id = t.student_id JOIN students_school s ON s.id = t.school_id "
    "JOIN students_academicyear y ON y.id = t.academic_year_id",
    "students_contact": "SELECT i.external_id, {columns} FROM students_contact t "
    "LEFT JOIN integrations_externalidentity i ON i.contact_id = t.id",
    "students_studentcontact": "SELECT p.local_id, i.external_id, {columns} FROM students_studentcontact t "
    "JOIN students_student p ON p.id = t.student_id "
    "LEFT JOIN integrations_externalidentity i ON i.contact_id = t.contact_id",
    "students_studentallergy": "SELECT p.local_id, {columns} FROM students_studentallergy t "
    "JOIN students_student p ON p.id = t.student_id",
    "students_studentphoto": "SELECT p.local_id, {columns} FROM students_studentphoto t "
    "JOIN students_student p ON p.id = t.student_id",
    "integrations_sourcerecord": "SELECT {columns} FROM integrations_sourcerecord t",
}
"""Table → what of it must be equal in two consoles: everything but primary keys."""


@dataclass
class Console:
    """One console. folder: its SIS_VAR_DIR. database: of PostgreSQL, "" for the SQLite file in the folder."""

    folder: Path
    host: str
    database: str = ""

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes."""
        env = {**embedded_env(self.folder), "SIS_ALLOWED_HOSTS": self.host}
        return {**env, "DATABASE_URL": _url(self.database)} if self.database else env

    def run(self, *arguments: str, kill_at: str = "", expect: int | None = 0) -> str:
        """What `manage.py` prints; expect: the exit status it must have, None for any."""
        done = self.start(*arguments, kill_at=kill_at)
        out, err = done.communicate(timeout=120)
        assert expect is None or done.returncode == expect, (done.returncode, out, err)
        self.status = done.returncode
        return out

    def start(self, *arguments: str, kill_at: str = "") -> subprocess.Popen[str]:
        """The process of a management command."""
        return subprocess.Popen(
            manage(*arguments), env={**self.env, "SIS_KILL_AT": kill_at},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def sync(self, **expecting: Any) -> dict[str, Any]:
        """The object that `sync --json` prints."""
        told: dict[str, Any] = json.loads(self.run("sync", "District", "--json", **expecting))
        return told

    def roster(self) -> str:
        """`export_roster --format json --all`."""
        return self.run("export_roster", "--format", "json", "--all")

    def rows(self) -> dict[str, list[str]]:
        """Everything we hold of students, and what is remembered of each source record; no primary keys."""
        with self._connected() as connection:
            return {table: _dump(connection, table) for table in SHOWN}

    def copy(self, folder: Path) -> Console:
        """Another console with the same data."""
        shutil.copytree(self.folder, folder)
        if not self.database:
            return Console(folder, self.host)
        name = _fresh(f'TEMPLATE "{self.database}"')
        return Console(folder, self.host, name)

    def drop(self) -> None:
        """Remove its database."""
        shutil.rmtree(self.folder)
        if self.database:
            _admin(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if self.database:
            import psycopg

            with psycopg.connect(_url(self.database)) as connection:
                yield connection
            return
        with closing(sqlite3.connect(self.folder / "sis.sqlite3")) as connection:
            yield connection


def new_console(folder: Path, sis: Sandbox, vendor: str, **fields: Any) -> Console:
    """A migrated console with an integration named District for the sandbox. fields: of the integration."""
    console = Console(folder, host_of(sis), _fresh("") if POSTGRES else "")
    folder.mkdir(parents=True)
    told = folder / "configure.json"
    told.write_text(json.dumps(configuration(vendor, sis, **fields)))
    console.run("migrate", "--verbosity", "0")
    console.run("configure", str(told))
    return console


def _dump(connection: Any, table: str) -> list[str]:
    cursor = connection.cursor()
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - names from the table above
    columns = sorted({column[0] for column in cursor.description} - LEFT_OUT[table])
    chosen = ", ".join(f't."{column}"' for column in columns)
    cursor.execute(SHOWN[table].format(columns=chosen))
    return sorted(repr(_row(columns, row)) for row in cursor.fetchall())


def _row(columns: list[str], row: tuple[Any, ...]) -> list[Any]:
    more = list(row[: len(row) - len(columns)])
    return [*more, *zip(columns, row[len(more) :], strict=True)]


_made = 0


def _fresh(how: str) -> str:
    global _made
    _made += 1
    name = f"console_{os.getpid()}_{_made}"
    _admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _admin(f'CREATE DATABASE "{name}" {how}')
    return name


def _url(database: str) -> str:
    parts = urlsplit(os.environ["DATABASE_URL"].replace("postgres://", "postgresql://", 1))
    return urlunsplit(parts._replace(path=f"/{database}"))


def _admin(statement: str) -> None:
    import psycopg

    with psycopg.connect(_url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
