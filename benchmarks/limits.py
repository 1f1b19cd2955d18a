"""The baselines: what reading the same pages, or writing the same rows, costs by itself."""

from __future__ import annotations

import json
import time
from typing import Any

import requests
from django.db import connection, models, transaction

from benchmarks.vendor import Vendor
from integrations.models import ExternalIdentity, SourceRecord
from students.models import Contact, Enrollment, Family, Student, StudentContact

TABLES: tuple[type[models.Model], ...] = (
    Family, Student, Contact, StudentContact, Enrollment, ExternalIdentity, SourceRecord,
)  # fmt: skip
WINDOW = 500


def read_and_decode(vendor: Vendor) -> float:
    """Seconds to read every page an import reads, with requests, and decode it with json.loads."""
    session = requests.Session()
    session.headers["AERIES-CERT"] = vendor.credentials["token"]
    began = time.perf_counter()
    for school, _ in vendor.schools:
        base = f"{vendor.url}/api/v5/schools/{school}"
        json.loads(session.get(f"{base}/contacts").content)
        first = 1
        while json.loads(
            session.get(f"{base}/students?StartingRecord={first}&EndingRecord={first + WINDOW - 1}").content
        ):
            first += WINDOW
    return time.perf_counter() - began


def write_again() -> float:
    """Seconds to write all rows of the students' tables once more, into empty tables with the same indexes."""
    rows = {model: _all_rows(model) for model in TABLES}
    seconds = 0.0
    for model, content in rows.items():
        with transaction.atomic():
            table = _empty_twin(model)
            began = time.perf_counter()
            _write(table, model, content)
            seconds += time.perf_counter() - began
            transaction.set_rollback(True)
    return seconds


def _all_rows(model: type[models.Model]) -> list[tuple[Any, ...]]:
    names = ", ".join(connection.ops.quote_name(field.column) for field in model._meta.concrete_fields)
    json_columns = [
        position for position, field in enumerate(model._meta.concrete_fields) if isinstance(field, models.JSONField)
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM {model._meta.db_table}")  # noqa: S608 - names from the model
        rows = [list(row) for row in cursor.fetchall()]
    for row in rows:
        for position in json_columns:
            if not isinstance(row[position], str):
                row[position] = json.dumps(row[position])
    return [tuple(row) for row in rows]


def _empty_twin(model: type[models.Model]) -> str:
    table = f"twin_of_{model._meta.db_table}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"CREATE TABLE {table} (LIKE {model._meta.db_table} INCLUDING ALL)")
            return table
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL", [model._meta.db_table])
        for (sql,) in cursor.fetchall():
            cursor.execute(sql.replace(f'"{model._meta.db_table}"', table).replace('INDEX "', 'INDEX "twin_'))
    return table


def _write(table: str, model: type[models.Model], rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(connection.ops.quote_name(field.column) for field in model._meta.concrete_fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(model._meta.concrete_fields))
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - names from the model
