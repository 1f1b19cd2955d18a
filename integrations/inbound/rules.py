"""Everything in settings, mappings and ownership that decides what a run makes of what it reads."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import msgspec
from django.conf import settings

from integrations.connectors.base import Connection
from integrations.connectors.registry import connector_class
from integrations.errors import ConfigurationError
from integrations.models import Integration
from integrations.models.integration import MAPPING_FIELDS, SECRET_FIELDS
from integrations.secrets import readable
from mapping.models import DataEntityMappingValue
from mapping.translate import Table
from students.differ import Policy
from students.families import COMPARED
from students.models import AcademicYear, FieldOwnership, School
from students.stays import Year

from .academic_year import autumn_of, first_day, imported_year


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one run, as values.

    buildings: the system's school code → ours, of the schools an import covers. tables: entity → codes.
    today: the run's start date in the district's time zone. hash: 64 hex digits over all of it but today.
    """

    integration_id: int
    year: Year
    buildings: dict[str, str]
    tables: dict[str, Any]
    policy: Policy
    family_identifier: tuple[str, ...]
    family_namespace: str
    drop: bool
    today: dt.date
    hash: str

    @property
    def fingerprint_key(self) -> bytes:
        """What is mixed into every fingerprint."""
        return bytes.fromhex(self.hash)


def build_rules(integration: Integration, *, today: dt.date) -> Rules:
    """The rules for a run that started on a day. Raises ConfigurationError naming what is missing."""
    codes = _codes(integration)
    buildings = _buildings(integration, codes.get("building", {}))
    year = imported_year(integration, today=today)
    foreign, clearing = _ownership(integration)
    told = {
        "system": integration.system,
        "url": integration.url,
        "parse": connector_class(integration.system).parse_version,
        "codes": codes,
        "year": [year.name, year.starts.isoformat(), year.ends.isoformat()],
        "family": [COMPARED, *sorted(integration.family_identifier)],
        "foreign": sorted(foreign),
        "clearing": sorted(clearing),
        "drop": integration.drop_students_not_in_file,
        "flags": [
            integration.primary_enrollment_codes,
            integration.alternate_enrollment_codes,
            integration.use_local_id_as_pin,
            integration.use_contact_record,
        ],
        "options": integration.options,
    }
    return Rules(
        integration_id=integration.pk,
        year=Year(name=year.name, starts=year.starts, ends=year.ends, since=first_day(year)),
        buildings=buildings,
        tables={entity: Table(values) for entity, values in codes.items() if entity != "building"},
        policy=Policy(foreign=foreign, clearing=clearing),
        family_identifier=tuple(sorted(integration.family_identifier)),
        family_namespace=f"{integration.pk}",
        drop=integration.drop_students_not_in_file,
        today=today,
        hash=hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest(),
    )


def connection_of(integration: Integration, *, today: dt.date) -> Connection:
    """What the connector needs to reach the system in the year the integration imports on a day.

    Where no Academic Year mapping is chosen the year is asked for by its own name, unless it goes by the date and the
    system cannot be asked safely: then what it has as its current year is read. Raises ConfigurationError when an
    Academic Year mapping is chosen that does not hold the year, or a stored secret cannot be read.
    """
    return Connection(
        url=integration.url,
        credentials={name: readable(secret) for name in SECRET_FIELDS if (secret := getattr(integration, name))},
        year=_source_year(integration, imported_year(integration, today=today)),
        primary_codes=split_codes(integration.primary_enrollment_codes),
        alternate_codes=split_codes(integration.alternate_enrollment_codes),
        use_contact_record=integration.use_contact_record,
        use_local_id_as_pin=integration.use_local_id_as_pin,
        options=integration.options,
        pictures_only=integration.pictures_only,
        allowed_hosts=frozenset(settings.SIS_ALLOWED_HOSTS),
    )


def split_codes(text: str) -> frozenset[str]:
    """The enrollment codes of a comma list; an empty item or ``(blank)`` is the blank code."""
    if not text.strip():
        return frozenset()
    return frozenset("" if part.strip() == "(blank)" else part.strip() for part in text.split(","))


def _source_year(integration: Integration, year: AcademicYear) -> int | None:
    if integration.academic_year_id is None:
        safe = connector_class(integration.system).refuses_other_years
        return autumn_of(year) if safe or integration.year_id is not None else None
    row = DataEntityMappingValue.objects.filter(mapping_id=integration.academic_year_id, value=year.name).first()
    if row is None or not row.external_value.strip().isdigit():
        raise ConfigurationError(
            f"The Academic Year mapping of {integration.name} has no external value for {year.name}. "
            "Add one, such as the year the school year starts in."
        )
    return int(row.external_value)


def _codes(integration: Integration) -> dict[str, dict[str, str]]:
    by_mapping = {
        getattr(integration, f"{field}_id"): field
        for field in MAPPING_FIELDS
        if getattr(integration, f"{field}_id") is not None
    }
    codes: dict[str, dict[str, str]] = {field: {} for field in by_mapping.values()}
    rows = DataEntityMappingValue.objects.filter(mapping__in=by_mapping).order_by("external_value")
    for mapping_id, external, value in rows.values_list("mapping_id", "external_value", "value"):
        codes[by_mapping[mapping_id]][external] = value
    return codes


def _buildings(integration: Integration, codes: dict[str, str]) -> dict[str, str]:
    if not codes:
        raise ConfigurationError(
            f"The Building mapping of {integration.name} is empty. Choose one that lists the schools to import."
        )
    known = set(School.objects.filter(code__in=codes.values(), active=True).values_list("code", flat=True))
    missing = sorted(set(codes.values()) - known)
    if missing:
        raise ConfigurationError(
            f"The Building mapping of {integration.name} names schools that do not exist or are inactive: "
            f"{', '.join(missing)}. Add the schools or mend the mapping."
        )
    return {external.strip(): ours for external, ours in codes.items()}


def _ownership(integration: Integration) -> tuple[frozenset[str], frozenset[str]]:
    foreign, clearing = set(), set()
    for row in FieldOwnership.objects.all():
        name = f"{row.entity}.{row.field}"
        if row.owner and row.owner != integration.owner_key:
            foreign.add(name)
        if row.when_blank == FieldOwnership.WhenBlank.CLEAR:
            clearing.add(name)
    return frozenset(foreign), frozenset(clearing)
