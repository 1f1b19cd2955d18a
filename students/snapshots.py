"""A row as values that JSON holds, and the row again from them."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)


def row_values(row: models.Model) -> dict[str, Any]:
    """Column → value of a row, its primary key and foreign keys included; files by name."""
    return {field.attname: column_value(row, field) for field in row._meta.concrete_fields}


def column_value(row: models.Model, field: models.Field[Any, Any]) -> Any:
    """One column's value as it is stored, a file by its name."""
    value = getattr(row, field.attname)
    return str(value) if isinstance(field, models.FileField) else value


def row_of(model: type[Row], values: dict[str, Any]) -> Row:
    """The row that ``row_values`` told, not saved. Columns the model has no more are left out."""
    row = model()
    for field in model._meta.concrete_fields:
        if field.attname in values:
            setattr(row, field.attname, field.to_python(values[field.attname]))
    return row
