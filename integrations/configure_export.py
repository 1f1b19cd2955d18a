"""The settings as a configuration file, without secrets; what `manage.py configure --export` prints."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from integrations.configure import PLAIN
from integrations.configure_file import ENTITIES
from integrations.models import Integration, ScheduledJob
from integrations.system_fields import FIELDS
from integrations.timetable import NEEDS
from mapping.models import DataEntityMapping
from students.models import AcademicYear, School


def export() -> dict[str, Any]:
    """Everything a configuration file may hold, in an order that is the same for the same settings.

    Credentials are left out, so that reading the file back keeps those that are stored; so is a Url with a
    query, which may hold one. Of a Url that carries the secret the readable half is told.
    """
    return {
        "schools": [_school(one) for one in sorted(School.objects.all(), key=lambda one: one.code)],
        "academic_years": [
            {"name": one.name, "starts": one.starts.isoformat(), "ends": one.ends.isoformat()}
            for one in sorted(AcademicYear.objects.all(), key=lambda one: one.name)
        ],
        "data_entity_mappings": [
            _mapping(one)
            for one in sorted(DataEntityMapping.objects.prefetch_related("values"), key=lambda one: one.name)
        ],
        "integrations": [
            _integration(one)
            for one in sorted(
                Integration.objects.select_related(*ENTITIES, "error_owner", "year").prefetch_related(
                    "school_connections__school"
                ),
                key=lambda one: one.name,
            )
        ],
        "scheduled_jobs": [
            _job(one)
            for one in sorted(ScheduledJob.objects.select_related("integration", "run_as"), key=lambda one: one.name)
        ],
    }


def _school(school: School) -> dict[str, Any]:
    told: dict[str, Any] = {"code": school.code, "name": school.name}
    told |= {key: getattr(school, key) for key in ("low_grade", "high_grade") if getattr(school, key)}
    return told if school.active else {**told, "active": False}


def _mapping(mapping: DataEntityMapping) -> dict[str, Any]:
    values = sorted((one.external_value, one.value) for one in mapping.values.all())
    told = {"name": mapping.name, "entity": mapping.entity, "values": dict(values)}
    return told if mapping.active else {**told, "active": False}


def _integration(integration: Integration) -> dict[str, Any]:
    shown = FIELDS[integration.system].shown
    told = {key: getattr(integration, key) for key in PLAIN if key in shown}
    if urlsplit(integration.url).query:
        del told["url"]
    chosen = {key: getattr(integration, key) for key in ENTITIES if key in shown}
    told["mappings"] = {key: one.name for key, one in chosen.items() if one is not None}
    told["guard"] = {"percent": integration.guard_percent, "count": integration.guard_count}
    told["academic_year"] = integration.year.name if integration.year else None
    until = integration.rollover_until
    told["rollover_guard"] = {
        "percent": integration.rollover_percent,
        "count": integration.rollover_count,
        "until": until.isoformat() if until else None,
    }
    told["error_owner"] = integration.error_owner.get_username() if integration.error_owner else None
    told["schools"] = sorted(one.school.code for one in integration.school_connections.all())
    return told


def _job(job: ScheduledJob) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": job.name,
        "integration": job.integration.name,
        "frequency": job.frequency,
        **{part: getattr(job, part) for part in NEEDS[job.frequency]},
        "run_as": job.run_as.get_username(),
    }
    return told if job.active else {**told, "active": False}
