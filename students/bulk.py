"""Write many rows in a handful of statements: COPY on PostgreSQL, executemany on SQLite.

All functions expect to run inside a transaction. Rows are tuples in the order of ``columns``, holding
Python values of the fields' own types; JSON fields take lists and dicts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler

Row = Sequence[Any]
if TYPE_CHECKING:
    Condition = Lookup[Any]
else:
    Condition = Lookup


@models.CharField.register_lookup
@models.BigIntegerField.register_lookup
class Among(Condition):
    """``field__among=values``: as ``field__in``, with all values in one parameter, however many they are.

    Such a look-up wants ``order_by()``: for the model's own order SQLite leaves the index that would answer it.
    values: texts or whole numbers; none finds nothing. Of a list Django looks at every value, of a set it does not.
    """

    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        """The values as a list."""
        return list(cast(Collection[Any], self.rhs))

    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """The values as the one parameter that the database takes."""
        return "%s", [value if connection.vendor == "postgresql" else msgspec.json.encode(value).decode()]

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """The condition and its parameters."""
        left, parameters = self.process_lhs(compiler, connection)
        right, values = self.process_rhs(compiler, connection)
        if connection.vendor == "postgresql":
            kind = "text" if isinstance(self.lhs.output_field, models.CharField) else "bigint"
            return f"{left} = ANY({right}::{kind}[])", [*parameters, *values]
        told = f"SELECT value FROM json_each({right})"  # noqa: S608 - a placeholder
        return f"{left} IN ({told})", [*parameters, *values]


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


def insert_missing(model: type[models.Model], column: str, values: Sequence[str]) -> None:
    """Insert a row of this one column for every value that has none; no other column may need a value."""
    table, name = _quote(model._meta.db_table), _quote(_fields(model, [column])[0].column)
    rows, given = "SELECT unnest(%s::text[])", cast(Any, list(values))
    if connection.vendor != "postgresql":
        rows, given = "SELECT value FROM json_each(%s) WHERE true", _json(values)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({name}) {rows} ON CONFLICT DO NOTHING", [given])  # noqa: S608 - names from the model


def update(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    same: Mapping[str, Any] | None = None,
) -> int:
    """Set the columns of existing rows; the first value of each row is its primary key.

    same: further columns, set to one value in all the rows.
    """
    fields = _fields(model, ["id", *columns])
    prepared = _prepare(fields, rows)
    if not prepared:
        return 0
    table = _quote(model._meta.db_table)
    names = [_quote(f.column) for f in fields]
    more = _fields(model, list(same or ()))
    values = list(_prepare(more, [list(same.values())])[0]) if same else []
    sets = [f"{_quote(f.column)} = %s" for f in more]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{f.db_type(connection)}[]".replace("GENERATED", "") for f in fields)
            sets += [f"{n} = new.{n}" for n in names[1:]]
            cursor.execute(
                f"UPDATE {table} AS old SET {', '.join(sets)} "  # noqa: S608 - names from the model
                f"FROM unnest({arrays}) AS new({', '.join(names)}) WHERE old.{names[0]} = new.{names[0]}",
                [*values, *(list(column) for column in zip(*prepared, strict=True))],
            )
        else:
            sets += [f"{n} = %s" for n in names[1:]]
            cursor.executemany(
                f"UPDATE {table} SET {', '.join(sets)} WHERE {names[0]} = %s",  # noqa: S608 - names from the model
                [(*values, *row[1:], row[0]) for row in prepared],
            )
    return len(prepared)


def delete(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Delete the rows whose columns, together unique, hold the values; nothing that refers to them."""
    fields = _fields(model, columns)
    prepared = _prepare(fields, rows)
    if not prepared:
        return
    table = _quote(model._meta.db_table)
    names = [_quote(f.column) for f in fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{f.db_type(connection)}[]" for f in fields)
            same = " AND ".join(f"old.{n} = gone.{n}" for n in names)
            cursor.execute(
                f"DELETE FROM {table} AS old USING unnest({arrays}) AS gone({', '.join(names)}) WHERE {same}",  # noqa: S608 - names from the model
                [list(column) for column in zip(*prepared, strict=True)],
            )
        else:
            same = " AND ".join(f"{n} = %s" for n in names)
            cursor.executemany(f"DELETE FROM {table} WHERE {same}", prepared)  # noqa: S608 - names from the model


def commit_without_waiting() -> None:
    """Let the transaction's commit return before PostgreSQL has it on disk, as SQLite's does here anyway.

    Only where a lost commit would be made again: the server writes commits in order, so that after a power
    cut the last ones may be missing, never one in between; the next ordinary commit waits for them all.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")


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
    """The rows with their values as the driver takes them; converted a column at a time."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if not columns:
        return []
    for i, convert in enumerate(map(_converter, fields)):
        if convert is not None:
            columns[i] = [None if value is None else convert(value) for value in columns[i]]
    return list(zip(*columns, strict=True))


def _json(value: Any) -> str:
    if not value and isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
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
