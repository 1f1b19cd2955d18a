"""The same records as one CSV file: a row for each enrollment, dotted names, and a last line that counts."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

TOP = (
    "studentId", "stateId", "lastName", "firstName", "middleName", "suffix", "preferredName", "birthDate",
    "genderCode", "hispanic", "raceCodes", "gradeCode", "homeLanguageCode", "homePhone", "householdId", "modified",
)  # fmt: skip
ADDRESS = ("line1", "line2", "city", "state", "zip")
ENROLLMENT = ("buildingId", "entryDate", "exitDate", "primary", "homeroom")
CONTACT = (
    "contactId", "order", "relationshipCode", "headOfHousehold", "livesWith", "firstName", "lastName",
    "homePhone", "cellPhone", "email",
)  # fmt: skip
BUILDING = ("bedsCode", "name", "lowGrade", "highGrade")
END = "#end"


def roster(
    students: Iterable[Mapping[str, Any]],
    *,
    buildings: Mapping[str, Mapping[str, Any]],
    year: str,
    renamed: Mapping[str, str],
    end: bool,
) -> str:
    """The file as text. buildings: by id. renamed: column → the name the header gives it instead."""
    everybody = list(students)
    most = max((len(one["contacts"]) for one in everybody), default=0)
    header = [
        "schoolYear",
        *TOP,
        *(f"address.{name}" for name in ADDRESS),
        *(f"enrollments.{name}" for name in ENROLLMENT),
        *(f"building.{name}" for name in BUILDING),
        *(f"contacts.{place}.{name}" for place in range(1, most + 1) for name in CONTACT),
        *(f"contacts.{place}.address.{name}" for place in range(1, most + 1) for name in ADDRESS),
    ]
    out = StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    write([renamed.get(name, name) for name in header])
    rows = 0
    for one in everybody:
        for stay in one["enrollments"]:
            cells = _cells(one, stay, buildings[stay["buildingId"]], year)
            write([_text(cells.get(name)) for name in header])
            rows += 1
    if end:
        write([END, rows])
    return out.getvalue()


def _cells(
    student: Mapping[str, Any], stay: Mapping[str, Any], building: Mapping[str, Any], year: str
) -> dict[str, Any]:
    found = {"schoolYear": year} | {name: student[name] for name in TOP}
    found |= {f"address.{name}": value for name, value in (student["address"] or {}).items()}
    found |= {f"enrollments.{name}": value for name, value in stay.items()}
    found |= {f"building.{name}": value for name, value in building.items()}
    for place, contact in enumerate(student["contacts"], start=1):
        found |= {f"contacts.{place}.{name}": contact[name] for name in CONTACT}
        found |= {f"contacts.{place}.address.{name}": value for name, value in (contact["address"] or {}).items()}
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    return " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
