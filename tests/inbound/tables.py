"""Every row of the tables that an import writes about students, to see whether one was touched."""

from __future__ import annotations

from typing import Any

from django.db import models

from integrations.models import ExternalIdentity
from students.models import Contact, Enrollment, Family, Student, StudentAllergy, StudentContact

TABLES: tuple[type[models.Model], ...] = (
    Student, Enrollment, Contact, StudentContact, StudentAllergy, Family, ExternalIdentity,
)  # fmt: skip


def everything() -> dict[str, list[dict[str, Any]]]:
    """Table → all its rows with their primary keys."""
    return {table.__name__: list(table._default_manager.order_by("pk").values()) for table in TABLES}
