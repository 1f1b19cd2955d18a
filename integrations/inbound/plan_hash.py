"""The hash a person approves: SHA-256 over the planned changes in a fixed order."""

from __future__ import annotations

import hashlib

import msgspec
from django.db import connection
from django.db.models import F
from django.db.models.functions import Collate

from integrations.models import Change


def plan_hash(run_id: int) -> str:
    """64 hex digits over entity, external id, kind and values of every planned change."""
    collation = "C" if connection.vendor == "postgresql" else "BINARY"
    rows = (
        Change.objects.filter(run=run_id, status=Change.Status.PLANNED)
        .annotate(plain_id=Collate(F("external_id"), collation))
        .order_by("entity", "plain_id", "kind")
        .values_list("entity", "external_id", "kind", "fields", "digest")
    )
    hashed = hashlib.sha256()
    for row in rows.iterator():
        hashed.update(msgspec.json.encode(row, order="sorted"))
        hashed.update(b"\n")
    return hashed.hexdigest()
