"""Unmapped codes: add one to its mapping, and import the students who wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.db import transaction

from integrations import services
from integrations.errors import RunOpen, RunRefused
from integrations.models import Integration, RecordIssue, SourceRecord, SyncRun, UnmappedCode
from integrations.models.integration import MAPPING_FIELDS
from integrations.models.run import APPLIED
from mapping.choices import our_values
from mapping.models import DataEntityMapping, DataEntityMappingValue
from mapping.translate import Table

CHUNK = 500


class Mapped(msgspec.Struct, kw_only=True):
    """What mapping a code came to.

    runs: imports that were queued. waiting: sentences why an integration's students wait for its next import.
    """

    runs: list[SyncRun] = []
    waiting: list[str] = []


def mapping_of(code: UnmappedCode) -> DataEntityMapping | None:
    """The mapping of its integration that should know the code; None where none is chosen."""
    found = getattr(code.integration, code.entity) if code.entity in MAPPING_FIELDS else None
    assert found is None or isinstance(found, DataEntityMapping)
    return found


def values_of(codes: Iterable[UnmappedCode]) -> dict[int, str]:
    """Primary key → our value, for those of the codes that their mappings know by now."""
    tables: dict[int, Table] = {}
    found = {}
    for code in codes:
        mapping = mapping_of(code)
        if mapping is None:
            continue
        if mapping.pk not in tables:
            tables[mapping.pk] = Table(_values(mapping))
        if (value := tables[mapping.pk].get(code.value)) is not None:
            found[code.pk] = value
    return found


def waiting_students(integration: Integration, codes: Iterable[UnmappedCode]) -> list[str]:
    """External ids of the students with an open issue over one of these codes, in order.

    Only issues of imports that were applied count: after a dry run, or a plan that nobody approved, nobody has
    agreed yet that these students are written.
    """
    issues = RecordIssue.objects.filter(
        run__integration=integration, run__dry_run=False, run__status__in=APPLIED, code="unmapped_code", resolved=None
    )
    found: set[str] = set()
    for code in codes:
        rows = issues.filter(entity=code.entity, raw_code=code.value).exclude(external_id="")
        found |= set(rows.values_list("external_id", flat=True))
    return sorted(found)


def map_code(*, code: UnmappedCode, value: str, user: Any = None, run: bool = True, wake: bool = True) -> Mapped:
    """Give an unmapped code one of our values, as ``map_codes``."""
    return map_codes({code: value}, user=user, run=run, wake=wake)


def map_codes(chosen: Mapping[UnmappedCode, str], *, user: Any = None, run: bool = True, wake: bool = True) -> Mapped:
    """Give unmapped codes one of our values each and import the students who wait for them, and only them.

    All of them or none. Every integration that shares a mapping and has met the code is seen to, with one import.
    run: whether imports are queued; without, and where no student waits, the next import takes it. Raises RunRefused
    where no mapping is chosen, a value is none of ours, or the mapping has another value for the code by now.
    """
    found: dict[Integration, set[str]] = {}
    with transaction.atomic():
        for code, value in chosen.items():
            mapping = _locked_mapping(code)
            _store(mapping, code.value, value)
            sharing = UnmappedCode.objects.filter(entity=code.entity, value=code.value).select_related("integration")
            for one in sharing:
                if mapping_of(one) == mapping:
                    found.setdefault(one.integration, set()).update(waiting_students(one.integration, [one]))
        for integration, students in found.items():
            services.look_again(integration=integration, external_ids=students)
    told = Mapped()
    for integration in (one for one, students in found.items() if students and run):
        try:
            told.runs.append(import_waiting(integration=integration, user=user, wake=wake))
        except (RunOpen, RunRefused) as error:
            told.waiting.append(error.message)
    return told


def _store(mapping: DataEntityMapping, external: str, value: str) -> None:
    """Add a code to a mapping that is locked. Raises RunRefused."""
    ours = our_values(mapping.entity)
    if value not in ours:
        raise RunRefused("Choose one of our values.")
    known = Table(_values(mapping)).get(external)
    if known is not None and known != value:
        shown = ours.get(known, known)
        raise RunRefused(f"{mapping.name} has had a value for “{external}” since: {shown}. Change it there.")
    if known is None:
        DataEntityMappingValue.objects.create(mapping=mapping, external_value=external.strip(), value=value)


def import_waiting(*, integration: Integration, user: Any = None, wake: bool = True) -> SyncRun:
    """A queued import of the students who wait for codes of the integration that are mapped by now.

    It never drops anybody. Raises RunRefused when nobody waits or it may not run, RunOpen as ``start_import``.
    """
    codes = list(integration.unmapped_codes.all())
    known = values_of(codes)
    students = waiting_students(integration, [one for one in codes if one.pk in known])
    if not students:
        raise RunRefused(f"No student of {integration.name} waits for a code that has been mapped.")
    return services.start_import(
        integration=integration, user=user, students=students, schools=schools_of(integration, students), wake=wake
    )


def _locked_mapping(code: UnmappedCode) -> DataEntityMapping:
    mapping = mapping_of(code)
    if mapping is None:
        label = code.entity.replace("_", " ").title()
        raise RunRefused(f"{code.integration.name} has no {label} mapping. Choose one on its page first.")
    return DataEntityMapping.objects.select_for_update().get(pk=mapping.pk)


def _values(mapping: DataEntityMapping) -> dict[str, str]:
    rows = DataEntityMappingValue.objects.filter(mapping=mapping)
    return dict(rows.values_list("external_value", "value"))


def schools_of(integration: Integration, students: list[str]) -> set[str]:
    """Our codes of the schools where these students were seen, of those the integration covers."""
    rows = DataEntityMappingValue.objects.filter(mapping=integration.building_id)
    ours = {external.strip(): value for external, value in rows.values_list("external_value", "value")}
    found: set[str] = set()
    for start in range(0, len(students), CHUNK):
        chunk = students[start : start + CHUNK]
        records = SourceRecord.objects.filter(integration=integration, external_id__in=chunk)
        found |= {ours[code] for code in records.values_list("school", flat=True).distinct() if code in ours}
        issues = RecordIssue.objects.filter(run__integration=integration, external_id__in=chunk, resolved=None)
        found |= {code for schools in issues.values_list("schools", flat=True) for code in schools}
    return found & set(ours.values())
