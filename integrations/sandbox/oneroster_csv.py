"""The invented district as the zip of the OneRoster CSV binding: manifest and one file a collection.

Sources: the 1EdTech OneRoster 1.1 and 1.2 CSV bindings for names, columns and their order. In a bulk file status
and dateLastModified are blank, unless `filled` as older exports have it; a delta holds what was modified after
`since`, an ISO time, tombstones among it. What goes wrong with real exports:

- `encoding`: "utf-8", "utf-8-sig" (with a byte order mark), "latin-1", "utf-16";
- `missing`: files the manifest names and the zip lacks; `absent`: files the manifest calls absent;
- `renamed`: {file: {column: other name}}; `folder`: a folder in which the files stand;
- `broken`: "zip" cuts the zip off, "manifest" leaves the manifest out, "row" breaks users.csv off after three quarters,
  "twice" writes the first user twice with another name, "people" the first demographics with another birth date;
- `bad_bytes`: {file: (sourcedId of a user, column)}: cells that end in a byte that is no UTF-8.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.sandbox.oneroster_filter import value_at

Row = dict[str, Any]
HEAD = ("sourcedId", "status", "dateLastModified")
FLAGS = (
    "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
    "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity",
)  # fmt: skip
METADATA = (
    "streetAddress", "city", "state", "postalCode", "mailingStreetAddress", "mailingCity", "mailingState",
    "mailingPostalCode", "homeLanguage",
)  # fmt: skip
OTHERS = ("categories", "classResources", "courseResources", "lineItems", "resources", "results")
NEW = (
    "lineItemLearningObjectiveIds", "lineItemScoreScales", "resultLearningObjectiveIds", "resultScoreScales",
    "scoreScales", "userProfiles", "userResources",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is exported, and how; see the module's docstring."""

    version: str = "1.2"
    delta: bool = False
    since: str = ""
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    folder: str = ""
    filled: bool = False
    broken: str = ""
    bad_bytes: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def zipped(objects: dict[str, dict[str, Row]], export: Export) -> bytes:
    """The zip of a district's objects (collection → sourcedId → object)."""
    tables = {
        name: make(objects, export) for name, make in _TABLES.items() if name != "roles" or export.version == "1.2"
    }
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        if export.broken != "manifest":
            archive.writestr(f"{export.folder}manifest.csv", _manifest(tables, export).encode())
        for name, (columns, rows) in tables.items():
            if name not in export.missing and name not in export.absent:
                shown = _with_bytes(columns, rows, export.bad_bytes[name]) if name in export.bad_bytes else rows
                text = _text(_renamed(columns, export.renamed.get(name, {})), shown)
                errors = "surrogateescape" if export.bad_bytes else "replace"
                archive.writestr(
                    f"{export.folder}{name}.csv", _spoilt(name, text, export).encode(export.encoding, errors)
                )
    return found.getvalue()[: -200 if export.broken == "zip" else None]


def _manifest(tables: Mapping[str, Any], export: Export) -> str:
    mode = "delta" if export.delta else "bulk"
    names = sorted((*tables, *OTHERS, *(NEW if export.version == "1.2" else ())))
    here = {name: mode for name in tables if name not in export.absent}
    rows = [["manifest.version", "1.0"], ["oneroster.version", export.version]]
    rows += [[f"file.{name}", here.get(name, "absent")] for name in names]
    return _text(("propertyName", "value"), [*rows, ["source.systemName", "Sandbox"]])


def _with_bytes(columns: tuple[str, ...], rows: list[list[str]], place: tuple[str, str]) -> list[list[str]]:
    """The rows with byte F1 at the end of that column in the rows of that user."""
    user, column = place
    at = columns.index(column)
    return [[*row[:at], row[at] + "\udcf1", *row[at + 1 :]] if user in row else row for row in rows]


def _spoilt(name: str, text: str, export: Export) -> str:
    if name == "demographics" and export.broken == "people":
        lines = text.splitlines(keepends=True)
        return "".join([*lines, lines[1].replace(lines[1].split(",")[3], "1999-01-01", 1)])
    if name != "users":
        return text
    if export.broken == "row":
        return text[: len(text) * 3 // 4]
    if export.broken == "twice":
        lines = text.splitlines(keepends=True)
        return "".join([*lines, lines[1].replace(lines[1].split(",")[4], "Somebody", 1)])
    return text


def _renamed(columns: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(column, column) for column in columns)


def _text(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    found = io.StringIO()
    csv.writer(found, lineterminator="\r\n").writerows([columns, *rows])
    return found.getvalue()


def _kept(row: Row, export: Export) -> bool:
    if export.delta:
        return not export.since or datetime.fromisoformat(row["dateLastModified"]) > datetime.fromisoformat(
            export.since
        )
    return bool(row["status"] == "active")


def _table(
    collection: str, cells: Mapping[str, str], extra: tuple[str, ...] = ()
) -> Callable[[dict[str, dict[str, Row]], Export], tuple[tuple[str, ...], list[list[str]]]]:
    """A file whose columns are members of the objects at these paths, "" for none."""

    def make(objects: dict[str, dict[str, Row]], export: Export) -> tuple[tuple[str, ...], list[list[str]]]:
        rows = [row for row in objects[collection].values() if _kept(row, export)]
        columns = (*HEAD, *cells, *(f"metadata.{name}" for name in extra))
        paths = (*cells.values(), *(f"metadata.{name}" for name in extra))
        return columns, [[*_head(row, export), *(_cell(row, path) for path in paths)] for row in rows]

    return make


def _head(row: Row, export: Export) -> list[str]:
    stated = export.delta or export.filled
    return [row["sourcedId"], row["status"] if stated else "", row["dateLastModified"] if stated else ""]


def _cell(row: Row, path: str) -> str:
    if path == "userIds":
        return ",".join(f"{{{one['type']}:{one['identifier']}}}" for one in row.get("userIds", ()))
    value = value_at(row, path) if path else None
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _users(objects: dict[str, dict[str, Row]], export: Export) -> tuple[tuple[str, ...], list[list[str]]]:
    own = ("username", "userIds", "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone")
    tail = {"agentSourcedIds": "agents.sourcedId", "grades": "grades", "password": ""}
    cells: dict[str, str] = {"enabledUser": "enabledUser"}
    if export.version == "1.1":
        cells |= {"orgSourcedIds": "orgs.sourcedId", "role": "role"}
    cells |= {name: name for name in own} | tail
    if export.version == "1.2":
        cells |= {
            "userMasterIdentifier": "userMasterIdentifier", "preferredGivenName": "preferredFirstName",
            "preferredMiddleName": "", "preferredFamilyName": "preferredLastName",
            "primaryOrgSourcedId": "primaryOrg.sourcedId", "pronouns": "",
        }  # fmt: skip
    return _table("users", cells, METADATA)(objects, export)


def _roles(objects: dict[str, dict[str, Row]], export: Export) -> tuple[tuple[str, ...], list[list[str]]]:
    columns = (
        *HEAD, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId",
    )  # fmt: skip
    found = []
    for user in objects["users"].values():
        for role in user["roles"] if _kept(user, export) else ():
            org = role["org"]["sourcedId"]
            head = _head({**user, "sourcedId": f"R{user['sourcedId']}-{org}-{role['role']}"}, export)
            cells = [user["sourcedId"], role["roleType"], role["role"], role.get("beginDate"), role.get("endDate"), org]
            found.append([*head, *(cell or "" for cell in cells), ""])
    return columns, found


_SESSION = {"title": "title", "type": "type", "startDate": "startDate", "endDate": "endDate"}
_TABLES: dict[str, Callable[..., tuple[tuple[str, ...], list[list[str]]]]] = {
    "academicSessions": _table(
        "academicSessions", {**_SESSION, "parentSourcedId": "parent.sourcedId", "schoolYear": "schoolYear"}
    ),
    "orgs": _table(
        "orgs", {"name": "name", "type": "type", "identifier": "identifier", "parentSourcedId": "parent.sourcedId"}
    ),
    "courses": _table(
        "courses",
        {
            "schoolYearSourcedId": "schoolYear.sourcedId", "title": "title", "courseCode": "courseCode",
            "grades": "grades", "orgSourcedId": "org.sourcedId", "subjects": "", "subjectCodes": "",
        },
    ),
    "classes": _table(
        "classes",
        {
            "title": "title", "grades": "grades", "courseSourcedId": "course.sourcedId", "classCode": "",
            "classType": "classType", "location": "", "schoolSourcedId": "school.sourcedId",
            "termSourcedIds": "terms.sourcedId", "subjects": "", "subjectCodes": "", "periods": "",
        },
    ),
    "users": _users,
    "roles": _roles,
    "enrollments": _table(
        "enrollments",
        {
            "classSourcedId": "class.sourcedId", "schoolSourcedId": "school.sourcedId",
            "userSourcedId": "user.sourcedId", "role": "role", "primary": "primary", "beginDate": "beginDate",
            "endDate": "endDate",
        },
    ),
    "demographics": _table(
        "demographics",
        {
            "birthDate": "birthDate", "sex": "sex", **{name: name for name in FLAGS}, "countryOfBirthCode": "",
            "stateOfBirthAbbreviation": "", "cityOfBirth": "", "publicSchoolResidenceStatus": "",
        },
    ),
}  # fmt: skip
