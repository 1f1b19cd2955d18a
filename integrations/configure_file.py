"""The file of `manage.py configure`: its shape, checked, as plain dicts. Pure.

Every fault is one sentence that names its place, such as ``integrations[0].urll``. A secret is never part
of a sentence.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integrations.timetable import MONTHS, NEEDS, WEEKDAYS
from mapping.models import Entity
from students.codes import (
    ALLERGIES,
    ETHNICITIES,
    GENDERS,
    GRADE_LEVELS,
    LANGUAGES,
    RACES,
    RELATIONSHIPS,
    STATES,
)
from students.families import FAMILY_FIELDS

CREDENTIALS = ("token", "consumer_token", "consumer_secret", "user_token", "user_secret")
ENTITIES: tuple[str, ...] = tuple(Entity.values)
VOCABULARY: Mapping[str, Mapping[str, str]] = {
    "ethnicity": ETHNICITIES,
    "grade_level": GRADE_LEVELS,
    "race": RACES,
    "state": STATES,
    "gender": GENDERS,
    "language": LANGUAGES,
    "relationship": RELATIONSHIPS,
    "allergy": ALLERGIES,
}
"""Entity → the values its mappings choose from; Building and Academic Year choose from the database."""

Read = Callable[[Any, str], Any]


class FileError(Exception):
    """What is wrong with a configuration file, in one sentence that names the place."""


def read_file(text: str, *, environ: Mapping[str, str]) -> dict[str, Any]:
    """The content of a configuration file, its shape checked; keys the file omits are absent.

    Secrets given as ``{"env": NAME}`` are taken from environ. Dates are dates, family identifiers are keys,
    enrollment codes one text. Raises FileError.
    """
    try:
        found = json.loads(text, object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        raise FileError(
            f"The file is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise FileError("The file is not valid JSON: it is nested too deep.") from None
    result: dict[str, Any] = _record(_top(environ))(found, "")
    return result


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FileError(f"The key {key} stands twice in one object.")
        found[key] = value
    return found


def _record(keys: Mapping[str, Read], *, required: Sequence[str] = ()) -> Read:
    """Reads an object with these keys and no other."""

    def read(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FileError(f"{place or 'The file'} must be an object in braces.")
        for key in value:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(keys)}."
                raise FileError(f"{_at(place, key)} is not a known key. {hint}")
        for key in required:
            if key not in value:
                raise FileError(f"{_at(place, key)} is missing.")
        read_values = {key: keys[key](one, _at(place, key)) for key, one in value.items()}
        return {key: one for key, one in read_values.items() if one is not _ABSENT}

    return read


def _list(read_one: Read) -> Read:
    def read(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise FileError(f"{place} must be a list in brackets.")
        return [read_one(one, f"{place}[{number}]") for number, one in enumerate(value)]

    return read


_ABSENT = object()


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise FileError(f"{place} must be a text in quotes.")
    if not _printable(value):
        raise FileError(f"{place} holds control characters, or half a character. Type it anew.")
    return value.strip()


def _printable(text: str) -> bool:
    """Whether a text has neither control characters nor halves of characters, which no database keeps."""
    return not any(unicodedata.category(one) in ("Cc", "Cs") for one in text)


def _name(value: Any, place: str) -> str:
    found = _text(value, place)
    if not found:
        raise FileError(f"{place} must not be blank.")
    return found


def _text_or_none(value: Any, place: str) -> str | None:
    return None if value is None else _name(value, place)


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise FileError(f"{place} must be true or false.")
    return value


def _whole(least: int, most: int) -> Read:
    def read(value: Any, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FileError(f"{place} must be a whole number from {least} to {most}.")
        return value

    return read


def _one_of(choices: Sequence[str]) -> Read:
    def read(value: Any, place: str) -> str:
        found = _text(value, place)
        if found not in choices:
            raise FileError(f"{place} must be one of {', '.join(choices)}; it is {found!r}.")
        return found

    return read


def _date(value: Any, place: str) -> dt.date:
    try:
        return dt.date.fromisoformat(_text(value, place))
    except ValueError:
        raise FileError(f"{place} must be a date such as 2026-08-13.") from None


def _date_or_none(value: Any, place: str) -> dt.date | None:
    return None if value in (None, "") else _date(value, place)


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FileError(f"{place} must be an object in braces.")
    return value


def _codes(value: Any, place: str) -> str:
    """Enrollment codes as one text: a comma list, or a list of texts in which "" is the blank code."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, list) or not all(isinstance(one, str) and "," not in one for one in value):
        raise FileError(f"{place} must be a text such as 'A, B' or a list of texts without commas.")
    return ", ".join(one.strip() or "(blank)" for one in value)


def _family_field(value: Any, place: str) -> str:
    found = _text(value, place)
    by_label = {label.casefold(): option for option, (label, _) in FAMILY_FIELDS.items()}
    option = found if found in FAMILY_FIELDS else by_label.get(found.casefold())
    if option is None:
        raise FileError(f"{place} must be one of {', '.join(FAMILY_FIELDS)}; it is {found!r}.")
    return option


def _secret(environ: Mapping[str, str]) -> Read:
    def read(value: Any, place: str) -> str:
        if isinstance(value, str):
            return value.strip()
        if not isinstance(value, dict) or set(value) != {"env"} or not isinstance(value["env"], str):
            raise FileError(f'{place} must be a text, or {{"env": "NAME"}} with the name of a variable.')
        if not environ.get(value["env"]):
            raise FileError(f"{place}: the environment variable {value['env']} is not set.")
        return environ[value["env"]].strip()

    return read


def _external_values(value: Any, place: str) -> dict[str, str]:
    """External value → ours; that ours exists is checked once the entity is known."""
    found = {}
    for external, ours in _object(value, place).items():
        if not isinstance(ours, str):
            raise FileError(f'{place}."{external}" must be a text in quotes.')
        if not _printable(external + ours):
            told = external.encode("ascii", "backslashreplace").decode()[:40]
            raise FileError(f"{place}: {told!r} or its value holds control characters, or half a character.")
        if len(external) > 120:
            raise FileError(f'{place}."{external[:20]}..." is longer than 120 characters.')
        found[external] = ours
    return found


def _named(names: Sequence[str], *, first: int) -> Read:
    """Reads a number, or the name that stands for it."""
    numbers = {name.casefold(): number for number, name in enumerate(names, start=first)}

    def read(value: Any, place: str) -> int:
        if isinstance(value, str) and value.strip().casefold() in numbers:
            return numbers[value.strip().casefold()]
        return int(_whole(first, first + len(names) - 1)(value, place))

    return read


def _not_yet(value: Any, place: str) -> Any:
    """A key for later versions: taken only while it says nothing."""
    if value in (None, "", [], {}):
        return _ABSENT
    raise FileError(f"{place} is not supported by this version. Leave it out.")


GRADES = ("", *GRADE_LEVELS)
SCHOOL: Mapping[str, Read] = {
    "code": _name,
    "name": _name,
    "low_grade": _one_of(GRADES),
    "high_grade": _one_of(GRADES),
    "active": _flag,
}
ACADEMIC_YEAR: Mapping[str, Read] = {"name": _name, "starts": _date, "ends": _date}
MAPPING: Mapping[str, Read] = {
    "name": _name,
    "entity": _one_of(ENTITIES),
    "values": _external_values,
    "active": _flag,
}
JOB: Mapping[str, Read] = {
    "name": _name,
    "integration": _name,
    "frequency": _one_of(tuple(NEEDS)),
    "minute": _whole(0, 59),
    "hour": _whole(0, 23),
    "weekday": _named(WEEKDAYS, first=0),
    "day": _whole(1, 31),
    "month": _named(MONTHS, first=1),
    "run_as": _name,
    "active": _flag,
}


def _integration(environ: Mapping[str, str]) -> Mapping[str, Read]:
    return {
        "name": _name,
        "system": _name,
        "url": _secret(environ),
        "credentials": _record(dict.fromkeys(CREDENTIALS, _secret(environ))),
        "mappings": _record(dict.fromkeys(ENTITIES, _text_or_none)),
        "family_identifier": _list(_family_field),
        "primary_enrollment_codes": _codes,
        "alternate_enrollment_codes": _codes,
        "pictures_only": _flag,
        "use_local_id_as_pin": _flag,
        "use_contact_record": _flag,
        "drop_students_not_in_file": _flag,
        "guard": _record({"percent": _whole(1, 100), "count": _whole(0, 1_000_000)}),
        "academic_year": _text_or_none,
        "rollover_guard": _record({"percent": _whole(1, 100), "count": _whole(0, 1_000_000), "until": _date_or_none}),
        "import_enabled": _flag,
        "export_enabled": _flag,
        "field_mapping": _not_yet,
        "import_field_mapping": _not_yet,
        "registration_examples": _not_yet,
        "student_examples": _not_yet,
        "environment": _one_of(("sandbox", "production")),
        "error_owner": _text_or_none,
        "purpose": _text,
        "active": _flag,
        "options": _object,
        "schools": _list(_name),
    }


def _top(environ: Mapping[str, str]) -> Mapping[str, Read]:
    return {
        "schools": _list(_record(SCHOOL, required=("code",))),
        "academic_years": _list(_record(ACADEMIC_YEAR, required=("name",))),
        "data_entity_mappings": _list(_record(MAPPING, required=("name",))),
        "field_mappings": _not_yet,
        "integrations": _list(_record(_integration(environ), required=("name",))),
        "scheduled_jobs": _list(_record(JOB, required=("name",))),
    }
