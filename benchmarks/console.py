"""The console's side of a benchmark: a fresh database, an integration, one import after the other."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from benchmarks.vendor import Vendor
from integrations.inbound.pipeline import execute
from integrations.models import Integration, SyncRun
from integrations.runs import lease
from integrations.services import start_import
from mapping.models import DataEntityMapping, DataEntityMappingValue
from students.codes import STATES
from students.models import School

CODES = {
    "grade_level": {"-2": "PR", "-1": "TK", "0": "K", **{str(n): str(n) for n in range(1, 13)}},
    "gender": {"M": "M", "F": "F", "N": "X"},
    "ethnicity": {"Y": "hispanic", "N": "not_hispanic"},
    "race": {
        "100": "american_indian",
        "400": "asian",
        "600": "black",
        "700": "white",
        **{str(n): "asian" for n in range(200, 300)},
        **{str(n): "pacific_islander" for n in range(300, 400)},
    },
    "state": {state: state for state in STATES},
    "language": {"00": "en", "01": "es", "02": "vi", "04": "ko"},
    "relationship": {
        "10": "mother",
        "11": "father",
        "13": "stepmother",
        "14": "stepfather",
        "20": "grandparent",
        "23": "other_relative",
        "25": "other",
        "99": "other",
    },
}


def fresh_database() -> None:
    """Empty the database and bring its tables up to date."""
    call_command("migrate", verbosity=0)
    call_command("flush", verbosity=0, interactive=False)


def integration_for(vendor: Vendor) -> Integration:
    """An integration that imports every school of the vendor's district."""
    settings.SIS_ALLOWED_HOSTS.append(urlsplit(vendor.url).netloc)
    School.objects.bulk_create(School(code=code, name=name) for code, name in vendor.schools)
    codes = {**CODES, "building": {code: code for code, _ in vendor.schools}}
    return Integration.objects.create(
        name="Benchmark district",
        system="aeries",
        url=vendor.url,
        family_identifier=["family_key"],
        use_contact_record=True,
        drop_students_not_in_file=True,
        **vendor.credentials,
        **{entity: _mapping(entity, values) for entity, values in codes.items()},
    )


def pull(integration: Integration) -> tuple[SyncRun, float]:
    """One import in this process: the ended run, and its seconds."""
    integration.refresh_from_db()
    began = time.perf_counter()
    run = start_import(integration=integration, wake=False)
    execute(run.pk, fence=lease.take(run.pk))
    seconds = time.perf_counter() - began
    run.refresh_from_db()
    if run.status != SyncRun.objects.get(pk=run.pk).status or run.error_code:
        raise RuntimeError(run.error_message)
    return run, seconds


def engine() -> str:
    """The database's name for the report."""
    return {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[connection.vendor]


def _mapping(entity: str, values: dict[str, str]) -> DataEntityMapping:
    mapping = DataEntityMapping.objects.create(name=f"Benchmark {entity}", entity=entity)
    DataEntityMappingValue.objects.bulk_create(
        DataEntityMappingValue(mapping=mapping, external_value=external, value=value)
        for external, value in values.items()
    )
    return mapping
