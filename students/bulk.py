"""Write many rows in a handful of statements: COPY on PostgreSQL, executemany on SQLite.

All functions expect to run inside a transaction. Rows are tuples in the order of ``columns``, holding
Python values of the fields' own types; JSON fields take lists and dicts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import msgspec
from django.db import connection, models

Row = Sequence[Any]


def reserve_ids(model: type[models.Model], count: int) -> range | list[int]:
    """``count`` unused primary keys for rows that ``insert`` is about to write."""
    if not count:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count]
            )
            return [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
        start = (row[0] if row else 0) + 1
        return range(start, start + count)


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Insert the rows; returns how many. Raises IntegrityError as the database does."""
    fields = _fields(model, columns)
    prepared = _prepare(fields, rows)
    if not prepared:
        return 0
    names = ", ".join(_quote(f.column) for f in fields)
    table = _quote(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copying = cast(Any, cursor).copy(f"COPY {table} ({names}) FROM STDIN")
            with connection.wrap_database_errors, copying as copy:
                for row in prepared:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", prepared)  # noqa: S608 - names from the model
    return len(prepared)


def update(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Set the columns of existing rows; the first value of each row is its primary key."""
    fields = _fields(model, ["id", *columns])
    prepared = _prepare(fields, rows)
    if not prepared:
        return 0
    table = _quote(model._meta.db_table)
    names = [_quote(f.column) for f in fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{f.db_type(connection)}[]".replace("GENERATED", "") for f in fields)
            sets = ", ".join(f"{n} = new.{n}" for n in names[1:])
            cursor.execute(
                f"UPDATE {table} AS old SET {sets} FROM unnest({arrays}) AS new({', '.join(names)}) "  # noqa: S608 - names from the model
                f"WHERE old.{names[0]} = new.{names[0]}",
                [list(column) for column in zip(*prepared, strict=True)],
            )
        else:
            sets = ", ".join(f"{n} = %s" for n in names[1:])
            cursor.executemany(
                f"UPDATE {table} SET {sets} WHERE {names[0]} = %s",  # noqa: S608 - names from the model
                [(*row[1:], row[0]) for row in prepared],
            )
    return len(prepared)


def analyze(*wanted: type[models.Model]) -> None:
    """Refresh the planner's statistics of the tables, as is needed after a first load."""
    with connection.cursor() as cursor:
        for model in wanted:
            cursor.execute(f"ANALYZE {_quote(model._meta.db_table)}")


def _quote(name: str | None) -> str:
    return connection.ops.quote_name(name or "")


def _fields(model: type[models.Model], columns: Sequence[str]) -> list[models.Field[Any, Any]]:
    by_name: dict[str, models.Field[Any, Any]] = {}
    for field in model._meta.concrete_fields:
        by_name[field.name] = by_name[field.attname] = field
    return [by_name[name] for name in columns]


def _prepare(fields: list[models.Field[Any, Any]], rows: Iterable[Row]) -> list[Row]:
    changes = [(i, c) for i, c in enumerate(map(_converter, fields)) if c is not None]
    prepared: list[Row] = []
    for row in rows:
        values = list(row)
        for i, convert in changes:
            if values[i] is not None:
                values[i] = convert(values[i])
        prepared.append(values)
    return prepared


def _json(value: Any) -> str:
    if not value and isinstance(value, dict):
        return "{}"
    return msgspec.json.encode(value).decode()


def _converter(field: models.Field[Any, Any]) -> Callable[[Any], Any] | None:
    """What turns a field's Python value into what the driver takes, None where it is taken as it is."""
    if isinstance(field, models.JSONField):
        return _json
    if connection.vendor == "postgresql":
        return None
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    if isinstance(field, models.DateField):
        return dt.date.isoformat
    return None
