"""Creates and updates settings from one file, whole or not at all; what `manage.py configure` does."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models, transaction

from integrations.checking import connection_faults
from integrations.configure_file import VOCABULARY, FileError, read_file
from integrations.connectors.registry import SYSTEMS
from integrations.models import Integration, ScheduledJob, SchoolConnection
from integrations.secret_url import whole_url
from integrations.system_fields import FIELDS, check, hidden_fields_with_values, hidden_label
from integrations.timetable import NEEDS
from mapping.models import DataEntityMapping, DataEntityMappingValue
from students.models import AcademicYear, School

NEW, CHANGED, AS_BEFORE = "new", "changed", "as before"
YEAR_NAME = re.compile(r"(\d{4})-(\d{4})")
PLAIN = (
    "name", "system", "url", "family_identifier", "primary_enrollment_codes", "alternate_enrollment_codes",
    "pictures_only", "use_local_id_as_pin", "use_contact_record", "drop_students_not_in_file",
    "import_enabled", "export_enabled", "environment", "purpose", "active", "options",
)  # fmt: skip
"""Keys of an integration that are its fields as they stand."""


class Outcome(msgspec.Struct):
    """What a file did. counts: section → NEW, CHANGED or AS_BEFORE → how many. notes: sentences to read."""

    counts: dict[str, dict[str, int]] = {}
    notes: list[str] = []

    def count(self, section: str, what: str) -> None:
        """One more object of a section."""
        of = self.counts.setdefault(section, {NEW: 0, CHANGED: 0, AS_BEFORE: 0})
        of[what] += 1


def configure(text: str, *, environ: Mapping[str, str]) -> Outcome:
    """Store a configuration file in one transaction: all of it, or nothing.

    environ: where ``{"env": NAME}`` is looked up. Raises FileError with one sentence that names the place.
    """
    content = read_file(text, environ=environ)
    outcome = Outcome()
    with transaction.atomic():
        for place, entry in _each(content, "schools", key="code"):
            outcome.count("schools", _school(entry, place))
        for place, entry in _each(content, "academic_years"):
            outcome.count("academic years", _academic_year(entry, place))
        for place, entry in _each(content, "data_entity_mappings"):
            outcome.count("data entity mappings", _mapping(entry, place, outcome))
        for place, entry in _each(content, "integrations"):
            outcome.count("integrations", _integration(entry, place, outcome))
        _connect_schools(content, outcome)
        for place, entry in _each(content, "scheduled_jobs"):
            outcome.count("scheduled jobs", _job(entry, place))
    return outcome


def _each(content: Mapping[str, Any], section: str, *, key: str = "name") -> list[tuple[str, dict[str, Any]]]:
    """The objects of a section with their places. Raises FileError when two have one name."""
    seen: dict[str, str] = {}
    entries = [(f"{section}[{number}]", one) for number, one in enumerate(content.get(section, ()))]
    for place, one in entries:
        if one[key] in seen:
            raise FileError(f"{place}.{key}: {one[key]} is already the {key} of {seen[one[key]]}.")
        seen[one[key]] = place
    return entries


def _school(entry: dict[str, Any], place: str) -> str:
    found = School.objects.filter(code=entry["code"]).first()
    if found is None and "name" not in entry:
        raise FileError(f"{place}.name is missing; school {entry['code']} is new.")
    return _store(found or School(), entry, place)


def _academic_year(entry: dict[str, Any], place: str) -> str:
    found = AcademicYear.objects.filter(name=entry["name"]).first()
    missing = [key for key in ("starts", "ends") if key not in entry]
    if found is None and missing:
        raise FileError(f"{place}.{missing[0]} is missing; academic year {entry['name']} is new.")
    return _store(found or AcademicYear(), entry, place)


def _mapping(entry: dict[str, Any], place: str, outcome: Outcome) -> str:
    found = DataEntityMapping.objects.filter(name=entry["name"]).first()
    if found is None and "entity" not in entry:
        raise FileError(f"{place}.entity is missing; the data entity mapping {entry['name']} is new.")
    if found is not None and entry.get("entity", found.entity) != found.entity:
        raise FileError(
            f"{place}.entity: {entry['name']} is a mapping for {found.get_entity_display()}, and that cannot "
            "change. Give the new mapping another name."
        )
    mapping = found or DataEntityMapping()
    values: dict[str, Any] = {key: one for key, one in entry.items() if key != "values"}
    what = _store(mapping, values, place)
    if "values" in entry:
        _check_values(mapping.entity, entry["values"], f"{place}.values", outcome)
        if _replace_values(mapping, entry["values"]) and what == AS_BEFORE:
            what = CHANGED
    return what


def _check_values(entity: str, values: Mapping[str, str], place: str, outcome: Outcome) -> None:
    """Refuses a value that is none of ours, naming it."""
    if entity == "academic_year":
        for external, ours in values.items():
            _need_academic_year(ours, f'{place}."{external}"', outcome)
        return
    known = VOCABULARY.get(entity) or {school.code: school.name for school in School.objects.all()}
    for external, ours in values.items():
        if ours in known:
            continue
        if entity == "building":
            raise FileError(f'{place}."{external}": there is no school with the code {ours!r}. Add it to schools.')
        label = entity.replace("_", " ")
        raise FileError(f'{place}."{external}": {ours!r} is no {label}. Known: {", ".join(known)}.')


def _need_academic_year(name: str, place: str, outcome: Outcome) -> None:
    """Makes the year, from 1 July to 30 June, when its name tells which it is and it is not there."""
    if AcademicYear.objects.filter(name=name).exists():
        return
    years = YEAR_NAME.fullmatch(name)
    if years is None or int(years[2]) != int(years[1]) + 1:
        raise FileError(f"{place}: there is no academic year {name!r}. Add it to academic_years.")
    autumn = int(years[1])
    AcademicYear.objects.create(name=name, starts=dt.date(autumn, 7, 1), ends=dt.date(autumn + 1, 6, 30))
    outcome.notes.append(f"Academic year {name} was added, from 1 July to 30 June; correct its days if need be.")


def _replace_values(mapping: DataEntityMapping, values: Mapping[str, str]) -> bool:
    """Make the mapping hold exactly these values; whether anything changed."""
    stored = {one.external_value: one for one in mapping.values.all()}
    changed = False
    for external in stored.keys() - values.keys():
        stored[external].delete()
        changed = True
    for external, ours in values.items():
        row = stored.get(external) or DataEntityMappingValue(mapping=mapping, external_value=external)
        if row.pk is None or row.value != ours:
            row.value = ours
            row.save()
            changed = True
    return changed


def _integration(entry: dict[str, Any], place: str, outcome: Outcome) -> str:
    integration = Integration.objects.filter(name=entry["name"]).first() or Integration()
    system = _system(entry, integration, place)
    values = {key: entry[key] for key in PLAIN if key in entry}
    values |= entry.get("credentials", {})
    values |= {f"guard_{key}": number for key, number in entry.get("guard", {}).items()}
    values |= {f"rollover_{key}": one for key, one in entry.get("rollover_guard", {}).items()}
    if "academic_year" in entry:
        values["year"] = _year(entry["academic_year"], f"{place}.academic_year", outcome)
    values |= {key: _chosen(key, name, place) for key, name in entry.get("mappings", {}).items()}
    if "error_owner" in entry:
        values["error_owner"] = _owner(entry["error_owner"], f"{place}.error_owner")
    if _is_stored(values.get("url", ""), integration, system=system):
        del values["url"]
    whole = {**_as_it_stands(integration), **values}
    faults = check(whole, system=system, existing=False)
    if faults:
        raise FileError(f"{place} ({entry['name']}): {' '.join(faults.values())}")
    for field, sentence in connection_faults(whole, system=system).items():
        raise FileError(f"{place}.{field}: {sentence}")
    for field in hidden_fields_with_values(whole, system=system):
        values[field] = getattr(Integration(), field)
        outcome.notes.append(
            f"{place} ({entry['name']}): {hidden_label(field)} is no field of {FIELDS[system].title}, "
            "so it is left empty."
        )
    return _store(integration, values, place)


def _year(name: str | None, place: str, outcome: Outcome) -> AcademicYear | None:
    """The academic year of a name, None for the automatic one. Raises FileError."""
    if name is None:
        return None
    _need_academic_year(name, place, outcome)
    return AcademicYear.objects.get(name=name)


def _is_stored(url: str, integration: Integration, *, system: str) -> bool:
    """Whether a Url that carries the secret is the one stored, which is stored in two halves."""
    if not FIELDS[system].url_is_secret or not integration.url_secret:
        return False
    return url == whole_url(integration.url, integration.url_secret)


def _system(entry: Mapping[str, Any], integration: Integration, place: str) -> str:
    """The system of the integration after the file. Raises FileError when it is unknown or may not change."""
    before, wanted = integration.system, entry.get("system", integration.system)
    if not wanted:
        raise FileError(f"{place}.system is missing; the integration {entry['name']} is new.")
    if wanted not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise FileError(f"{place}.system: there is no system {wanted!r}; there are {known}.")
    if before and wanted != before and integration.runs.exists():
        raise FileError(
            f"{place}.system: {integration.name} has run with {FIELDS[before].title}, so its system cannot "
            "change any more. Add another integration."
        )
    return str(wanted)


def _chosen(entity: str, name: str | None, place: str) -> DataEntityMapping | None:
    """The data entity mapping of a name. Raises FileError when there is none for this entity."""
    if name is None:
        return None
    found = DataEntityMapping.objects.filter(name=name).first()
    where = f"{place}.mappings.{entity}"
    if found is None:
        raise FileError(f"{where}: there is no data entity mapping named {name!r}.")
    if found.entity != entity:
        raise FileError(f"{where}: {name} is a mapping for {found.get_entity_display()}.")
    if not found.active:
        raise FileError(f"{where}: {name} is inactive.")
    return found


def _job(entry: dict[str, Any], place: str) -> str:
    found = ScheduledJob.objects.filter(name=entry["name"]).first()
    missing = [key for key in ("integration", "frequency", "run_as") if key not in entry]
    if found is None and missing:
        raise FileError(f"{place}.{missing[0]} is missing; the scheduled job {entry['name']} is new.")
    values = dict(entry)
    if "integration" in entry:
        values["integration"] = Integration.objects.filter(name=entry["integration"]).first()
        if values["integration"] is None:
            raise FileError(f"{place}.integration: there is no integration named {entry['integration']!r}.")
    if "run_as" in entry:
        values["run_as"] = _user(entry["run_as"], f"{place}.run_as")
    needed = NEEDS[entry.get("frequency", found.frequency if found else "")]
    values |= {part: None for parts in NEEDS.values() for part in parts if part not in needed}
    return _store(found or ScheduledJob(minute=None), values, place)


def _owner(username: str | None, place: str) -> Any:
    return None if username is None else _user(username, place)


def _user(username: str, place: str) -> Any:
    found = get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: username}).first()
    if found is None:
        raise FileError(f"{place}: there is no user {username!r}.")
    return found


def _as_it_stands(integration: Integration) -> dict[str, Any]:
    return {
        field.name: getattr(integration, field.name)
        for field in Integration._meta.concrete_fields
        if field.editable and not field.primary_key
    }


def _connect_schools(content: Mapping[str, Any], outcome: Outcome) -> None:
    """Sync connections as the file lists them, each list replacing the integration's wholly."""
    claimed: dict[str, str] = {}
    for place, entry in _each(content, "integrations"):
        if "schools" not in entry:
            continue
        integration = Integration.objects.get(name=entry["name"])
        for number, code in enumerate(entry["schools"]):
            if code in claimed:
                raise FileError(
                    f"{place}.schools[{number}]: school {code} already stands in {claimed[code]}; "
                    "a school has one sync connection."
                )
            claimed[code] = f"{place}.schools"
        codes = School.objects.filter(code__in=entry["schools"])
        if missing := sorted(set(entry["schools"]) - {school.code for school in codes}):
            raise FileError(f"{place}.schools: there is no school with the code {', '.join(missing)}.")
        integration.school_connections.exclude(school__in=codes).delete()
        for school in codes:
            _connect(school, integration, outcome)


def _connect(school: School, integration: Integration, outcome: Outcome) -> None:
    before = SchoolConnection.objects.filter(school=school).select_related("integration").first()
    if before is None:
        SchoolConnection.objects.create(school=school, integration=integration)
    elif before.integration_id != integration.pk:
        outcome.notes.append(
            f"The sync connection of school {school.code} moved from {before.integration.name} to {integration.name}."
        )
        before.integration = integration
        before.save()


def _store(instance: models.Model, values: Mapping[str, Any], place: str) -> str:
    """Set the fields and save if any differs: NEW, CHANGED or AS_BEFORE. Raises FileError for a bad value."""
    is_new = instance.pk is None
    differs = [name for name, value in values.items() if is_new or getattr(instance, name) != value]
    for name in differs:
        setattr(instance, name, values[name])
    if not differs:
        return AS_BEFORE
    try:
        instance.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        where = place if field == "__all__" else f"{place}.{field}"
        raise FileError(f"{where}: {' '.join(messages)}") from None
    instance.save()
    return NEW if is_new else CHANGED
