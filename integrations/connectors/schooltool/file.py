"""The feed as one CSV file: a row for each enrollment, dotted names, and a last line that counts the rows.

The contract is ours: see the README here. Rows of one student need not stand together.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import difflib
import re
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import Any, TextIO

import msgspec

from ...errors import RecordError, UnusableAnswer, WrongSystem
from .client import SchoolToolClient
from .feed import Feed, Rejected
from .rows import Row, known_id, own_id, student_row

NEEDED = (
    "schoolYear", "studentId", "lastName", "firstName", "birthDate", "gradeCode", "enrollments.buildingId",
    "enrollments.entryDate", "enrollments.primary",
)  # fmt: skip
ADDRESS = ("line1", "line2", "city", "state", "zip")
CONTACT = (
    "contactId", "order", "relationshipCode", "headOfHousehold", "livesWith", "firstName", "lastName",
    "homePhone", "cellPhone", "email", *(f"address.{name}" for name in ADDRESS),
)  # fmt: skip
OTHERS = (
    "stateId", "middleName", "suffix", "preferredName", "genderCode", "hispanic", "raceCodes", "homeLanguageCode",
    "homePhone", "householdId", "modified", "enrollments.exitDate", "enrollments.homeroom", "building.bedsCode",
    "building.name", "building.lowGrade", "building.highGrade", *(f"address.{name}" for name in ADDRESS),
)  # fmt: skip
END = "#end"
ANY_CONTACT = re.compile(r"contacts\.([1-9]\d?)\.(.+)")
NOT_UTF8 = "The row holds bytes that are not UTF-8. Have the file written as UTF-8."


class FileFeed(msgspec.Struct):
    """What a file gave: the students, and the buildings as its rows name them."""

    feed: Feed
    buildings: list[dict[str, Any]]


def read_file(client: SchoolToolClient, *, today: dt.date) -> FileFeed:
    """The feed from the file at the Url. Raises WrongSystem for another header, TenantChanged for another year."""
    handle, charset = client.file()
    with handle, TextIOWrapper(handle, _encoding(charset), errors="surrogateescape", newline="") as text:
        return _Reader(client, text, today=today).read()


class _Known(msgspec.Struct):
    """A student some of whose rows were read: what they agree in, and the enrollments."""

    told: bytes
    enrollments: list[dict[str, Any]]
    fault: tuple[str, str] | None = None


class _Reader:
    def __init__(self, client: SchoolToolClient, text: TextIO, *, today: dt.date) -> None:
        self._client, self._today = client, today
        self._rows = csv.reader(text, strict=True)
        self._feed = Feed()
        self._known: dict[str, _Known] = {}
        self._buildings: dict[str, dict[str, Any]] = {}
        self._counted = 0
        self._stated: int | None = None

    def read(self) -> FileFeed:
        try:
            header = self._header()
            for cells in self._lines():
                self._take(header, cells)
            self._finish()
        except BaseException:
            self._feed.close()
            raise
        return FileFeed(self._feed, [self._buildings[code] for code in sorted(self._buildings)])

    def _header(self) -> list[str]:
        try:
            header = [name.strip() for name in next(self._rows, [])]
        except csv.Error:
            header = []
        if fault := header_fault(header):
            raise WrongSystem(
                f"{self._client.where} sent a file whose first line is not that of a SchoolTool roster feed: {fault}. "
                "Ask the district to write it as the contract says."
            )
        return header

    def _lines(self) -> Iterator[list[str]]:
        """The rows up to the last line, or to where the file breaks off."""
        try:
            for cells in self._rows:
                if cells and cells[0] == END:
                    self._stated = int(cells[1]) if len(cells) > 1 and cells[1].strip().isdigit() else -1
                    return
                if cells:
                    self._counted += 1
                    yield cells
        except csv.Error:
            self._feed.note("page_truncated", "The file breaks off in the middle of a row.")

    def _take(self, header: Sequence[str], cells: list[str]) -> None:
        found = dict(zip(header, cells, strict=False))
        student = known_id(found.get("studentId"))
        building = found.get("enrollments.buildingId", "").strip()
        if len(cells) != len(header):
            self._short(student, building, len(cells), len(header))
            return
        broken = [name for name, cell in found.items() if not cell.isascii() and _escaped(cell)]
        if broken or not student:
            self._unusable(student, building, broken[0] if broken else "studentId")
            return
        self._client.check_year(found["schoolYear"])
        told, stay = _student(found), _nested(found, "enrollments.")
        self._buildings.setdefault(building, {"buildingId": building, **_nested(found, "building.")})
        known = self._known.setdefault(student, _Known(told, []))
        known.enrollments.append(stay)
        if known.told != told and known.fault is None:
            known.fault = ("studentId", "Two different records came under one studentId.")

    def _short(self, student: str, building: str, cells: int, columns: int) -> None:
        """A row with too few or too many cells: its values may stand in the wrong columns."""
        told = f"The row has {cells} values instead of {columns}: a comma too many, or a file cut short."
        self._feed.note("unreadable_rows", "The file holds rows with too few or too many values.")
        self._reject(student if cells > columns else "", building, "studentId", told)

    def _unusable(self, student: str, building: str, field: str) -> None:
        if student and _escaped(student):
            student = ""
        told = NOT_UTF8 if student or field != "studentId" else "studentId is missing."
        if not student:
            self._feed.note("unreadable_rows", "The file holds rows without a studentId that can be read.")
        self._reject(student, building, field, told)

    def _reject(self, student: str, building: str, field: str, told: str) -> None:
        if not student:
            self._feed.add(b"", Row("", fault=RecordError("bad_text", field, told)))
            return
        known = self._known.setdefault(student, _Known(b"", []))
        known.fault = known.fault or (field, told)
        known.enrollments.append({"buildingId": building})

    def _finish(self) -> None:
        for student, known in self._known.items():
            buildings = tuple(dict.fromkeys(str(one.get("buildingId") or "") for one in known.enrollments))
            if known.fault is not None:
                self._feed.reject(Rejected(student, *known.fault, tuple(filter(None, buildings))))
                continue
            raw = known.told[:-1] + b',"enrollments":' + msgspec.json.encode(known.enrollments) + b"}"
            self._feed.add(raw, student_row(raw, today=self._today))
        self._feed.total = len(self._feed)
        if self._stated is None:
            told = (
                "The file has no last line that counts its rows, so it may have been cut short. Ask the district to "
                f"end it with {END} and the number of rows."
            )
            self._feed.note("page_truncated", told)
        elif self._stated != self._counted:
            told = f"The file's last line counts {self._stated} rows, and the file has {self._counted}."
            self._feed.note("count_disagrees", told)


def header_fault(header: Sequence[str]) -> str:
    """What is wrong with the first line of a file, "" when nothing is: names missing, unknown or there twice."""
    missing = [name for name in NEEDED if name not in header]
    unknown = [name for name in header if not _is_known(name)]
    twice = sorted({name for name in header if header.count(name) > 1})
    if len(unknown) > len(header) // 2:
        return f"it lacks {', '.join(missing[:3])}" if missing else "its names are not known"
    told = [f"it lacks {', '.join(missing)}"] if missing else []
    told += [f"it has {name!r}, which is not known{_meant(name)}" for name in unknown[:3]]
    told += [f"it has {name!r} twice" for name in twice[:3]]
    return " and ".join(told)


def _is_known(name: str) -> bool:
    if name in NEEDED or name in OTHERS:
        return True
    contact = ANY_CONTACT.fullmatch(name)
    return contact is not None and contact[2] in CONTACT


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, (*NEEDED, *OTHERS), n=1)
    return f" (is it {near[0]}?)" if near else ""


def _encoding(charset: str) -> str:
    """The charset the server states, UTF-8 where it states none. Raises UnusableAnswer for one nobody knows."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        raise UnusableAnswer(f"The file is said to be in {charset[:20]}, which is no known charset.") from None
    return "utf-8-sig" if name in ("utf-8", "ascii") else name


def _escaped(cell: str) -> bool:
    """Whether bytes of a cell were no text."""
    return any("\udc80" <= letter <= "\udcff" for letter in cell)


def _student(found: dict[str, str]) -> bytes:
    """The student's record without its enrollments, as the lists have it; a column left out stays out."""
    record: dict[str, Any] = {
        name: cell.strip() or None
        for name, cell in found.items()
        if "." not in name and name not in ("schoolYear", "raceCodes")
    }
    record["studentId"] = own_id(found["studentId"])
    if "raceCodes" in found:
        record["raceCodes"] = found["raceCodes"].split()
    if any(name.startswith("address.") for name in found):
        record["address"] = _nested(found, "address.")
    if any(name.startswith("contacts.") for name in found):
        record["contacts"] = _contacts(found)
    return msgspec.json.encode(record)


def _contacts(found: dict[str, str]) -> list[dict[str, Any]]:
    """The contacts that have anything, by their number."""
    numbers = {int(match[1]) for name in found if (match := ANY_CONTACT.fullmatch(name))}
    contacts = []
    for number in sorted(numbers):
        before = f"contacts.{number}."
        one = {name: value for name, value in _nested(found, before).items() if not name.startswith("address.")}
        one["address"] = _nested(found, f"{before}address.")
        if any(value for name, value in one.items() if name != "address"):
            contacts.append(one)
    return contacts


def _nested(found: dict[str, str], before: str) -> dict[str, Any]:
    """The cells whose names begin so, by the rest of the name; None for a blank one."""
    return {name.removeprefix(before): cell.strip() or None for name, cell in found.items() if name.startswith(before)}
