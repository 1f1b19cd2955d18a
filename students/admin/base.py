"""What the screens of students share: edits that are made known, and lists that do not count every row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from students.models import Student
from students.signals import student_edited

NO_VALUE = mark_safe('<span class="console-quiet">–</span>')  # noqa: S308 - fixed text


def tell_edited(request: HttpRequest, student_ids: Iterable[int]) -> None:
    """Make known that a person has edited these students."""
    ids = sorted(set(student_ids))
    if ids:
        student_edited.send(sender=Student, student_ids=ids, user=request.user)


def or_dash(text: str) -> str | SafeString:
    """The text, or a dash where there is none."""
    return text or NO_VALUE


def day(date: dt.date | None, *, none: str = "") -> str | SafeString:
    """A date on one line, such as Aug 13, 2026; without one ``none``, else a dash."""
    told = date_format(date) if date else none
    return format_html('<span class="console-nowrap">{}</span>', told) if told else NO_VALUE


def form_changed(form: Any, formsets: Iterable[Any]) -> bool:
    """Whether a saved admin page held any edit at all."""
    return bool(form.changed_data) or any(formset.has_changed() for formset in formsets)


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]
    """Pages of a table; a whole table on PostgreSQL is estimated by its statistics, not counted."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, exactly where it is cheap to know."""
        queryset: Any = self.object_list
        if connection.vendor == "postgresql" and not queryset.query.where:
            with connection.cursor() as cursor:
                table = queryset.model._meta.db_table
                cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
                row = cursor.fetchone()
            if row and row[0] > 10_000:
                return int(row[0])
        return super().count
