"""Reads Aeries: tenant, schools, students with their contacts, a student by id."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Raw

from students.records import StudentRecord

from ...errors import IntegrationError, RecordError, TenantChanged, UnusableAnswer
from ...parsing import integer, plain
from ..base import (
    Check,
    Connection,
    PicturePage,
    Problem,
    RawRecord,
    Sighting,
    SourceCode,
    SourcePage,
    SourceSchool,
    Tenant,
)
from ..options import Option, checked_options, limits
from . import windows
from .client import CONTACTS, PICTURES, STUDENT_DATA, WHERE_TO_GRANT, AeriesClient
from .codes import code_list
from .parse import CONTACTS_FOLLOW, PARENTS, student_record
from .pictures import read_windows
from .rows import Row, best_first, contact_keys, facts_reader, student_row

OPTIONS: Mapping[str, Option] = {
    "page_size": Option(
        meaning="Students asked for in one request, and records to a page.", default=500, least=1, most=5000
    ),
    "parent_codes": Option(
        meaning="Relationship codes of contacts who may head a household, separated by commas.",
        kind="codes",
        default=list(PARENTS),
    ),
}
NO_BUILDINGS = frozenset({0, 999})
CERTIFICATE = "Token (certificate)"
TEMPLATE = re.compile(r"\s*zzz", re.IGNORECASE)


class AeriesConnector:
    """One Aeries system, read only."""

    system: ClassVar[str] = "aeries"
    parse_version: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = True
    refuses_other_years: ClassVar[bool] = True

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._client = AeriesClient(connection, limits(self._options), sleep=sleep)
        self._size = int(self._options["page_size"])
        self._facts = facts_reader(connection)
        self._schools: list[SourceSchool] | None = None
        self._listed: list[dict[str, Any]] = []
        self._readings: dict[str, tuple[windows.Reading, int] | None] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        return checked_options(options, OPTIONS, system="Aeries")

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def tenant(self) -> Tenant:
        """The district and year that answer.

        Raises TenantChanged when Aeries falls back to another year than the one asked for, as it does
        without a word for a year it does not have.
        """
        info = self._client.system_info()
        answered = info["DatabaseYear"].strip()
        autumn = answered[:4]
        if not autumn.isdigit():
            raise UnusableAnswer(f"{self._client.where} names no school year. Try again later.")
        asked = self.connection.year
        if asked and autumn != str(asked):
            years = ", ".join(str(year) for year in info.get("AvailableDatabaseYears") or ()) or answered
            raise TenantChanged(
                f"{self._client.where} was asked for {asked}-{asked + 1} and answers for {answered}. "
                f"It has: {years}. Correct the Academic Year, or wait until the district opens that year."
            )
        self._client.year = int(autumn)
        self.schools()
        district = _district(self._listed) or urlsplit(self._client.base).netloc
        return Tenant(id=district, name=f"district {district}")

    def check(self) -> list[Check]:
        """Url, Token, school year and permissions, in this order up to what fails."""
        lines: list[Check] = []
        steps: list[tuple[str, Callable[[], str]]] = [
            ("Url", self._probe_address),
            (
                CERTIFICATE,
                lambda: f"Aeries accepts it and lists {sum(one.building for one in self.schools())} schools.",
            ),
            ("School year", self._probe_year),
        ]
        if self.connection.pictures_only:
            steps.append((f"Permission '{PICTURES}'", self._probe_pictures))
        else:
            steps.append((f"Permission '{STUDENT_DATA}'", self._probe_students))
        if self.connection.use_contact_record:
            steps.append((f"Permission '{CONTACTS}'", self._probe_contacts))
        for name, step in steps:
            try:
                lines.append(Check(name, True, step()))
            except IntegrationError as error:
                lines.append(Check(name, False, error.message, _remedy(name)))
                if not name.startswith("Permission"):
                    break
        return lines

    def schools(self) -> list[SourceSchool]:
        """All schools as listed; no buildings are 0, 999, inactive ones and ZZZ templates."""
        if self._schools is None:
            self._listed = self._client.schools()
            self._schools = [_school(one, self._client.where) for one in self._listed]
        return self._schools

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The school's students by StudentID, each once with all its rows and contacts.

        The whole school is read before the first page, whatever ``first`` is, since rows must be joined.
        Its problems come with page 1; when the reading starts later, with ``confirm``, and among them
        ``resume_differs`` where the pages before are not of ``rows_before`` rows any more. A school without
        students gives one empty page.
        """
        self._know_year()
        contacts = self._contacts(school) if self.connection.use_contact_record else None
        reading = self._read(school)
        records, rejected = _join(reading, school.code, contacts)
        if any(not external_id for external_id, _, _ in rejected) or (contacts and "" in contacts):
            message = f"School {school.code} sent rows that cannot be told apart: without a StudentID."
            reading.problems.append(Problem("unreadable_rows", message))
        last = max(1, -(-len(records) // self._size))
        before = sum(rows for _, rows in records[: (first - 1) * self._size]) + len(rejected)
        if first > 1 and (before != rows_before or first > last + 1):
            reading.problems.append(Problem("resume_differs", f"School {school.code} has changed meanwhile."))
        told = tuple(reading.problems) if first == 1 else ()
        self._readings[school.code] = (reading, len(told))
        for number in range(first, last + 1):
            page = records[(number - 1) * self._size : number * self._size]
            yield SourcePage(
                number=number,
                records=[record for record, _ in page],
                rows=sum(rows for _, rows in page) + (len(rejected) if number == 1 else 0),
                problems=told if number == 1 else (),
                rejected=tuple(rejected) if number == 1 else (),
            )

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Reads the end of the list again, which must be as it was, and looks behind it."""
        self._know_year()
        known = self._readings.pop(school.code, None)
        reading, told = known if known is not None else (self._read(school), 0)
        windows.confirm(
            reading, self._fetch(school), self._row_of(school), size=self._size, name=f"school {school.code}"
        )
        return tuple(reading.problems[told:])

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One joined record in canonical shape, codes still Aeries'. Raises RecordError."""
        return student_record(
            record,
            school.code,
            pin=self.connection.use_local_id_as_pin,
            parents=frozenset(self._options["parent_codes"]),
        )

    def pictures(self, school: SourceSchool, *, first: int = 1) -> Iterator[PicturePage]:
        """The newest picture of each of the school's students, a window at a time, from window ``first`` on."""
        self._know_year()
        yield from read_windows(
            lambda start, stop: self._client.pictures(school, start, stop), first=first, where=self._client.where
        )

    def codes(self, entity: str) -> list[SourceCode] | None:
        """The codes Aeries keeps for an entity, its school years among them; None where it keeps none."""
        return code_list(self._client, entity)

    def find(self, external_id: str) -> list[Sighting]:
        """Every record of one student: each school is asked, for Aeries looks into one at a time."""
        if not external_id.isdigit():
            return []
        self._know_year()
        found = []
        for school in self.schools():
            if int(school.key) in NO_BUILDINGS:
                continue
            for raw in self._client.student(school, external_id):
                row = student_row(raw, self._facts, school.code)
                if row.fault:
                    raise UnusableAnswer(
                        f"{self._client.where} sent a record of student {external_id} that cannot be read: "
                        f"{row.fault.message}"
                    )
                if row.facts and row.student == external_id and row.school == school.code:
                    facts = row.facts
                    found.append(Sighting(school=school.code, status=facts.status, left=facts.left))
        return found

    def _know_year(self) -> None:
        """Reading starts only in a year that is known and is sent with every call."""
        if self._client.year is None:
            self.tenant()

    def _fetch(self, school: SourceSchool) -> windows.Fetch:
        return lambda first, last: self._client.window(school, first, last)

    def _row_of(self, school: SourceSchool) -> Callable[[Raw], Row]:
        return lambda raw: student_row(raw, self._facts, school.code)

    def _read(self, school: SourceSchool) -> windows.Reading:
        return windows.read_all(
            self._fetch(school), self._row_of(school), size=self._size, name=f"school {school.code}"
        )

    def _contacts(self, school: SourceSchool) -> dict[str, list[tuple[int, Raw]]]:
        found: dict[str, list[tuple[int, Raw]]] = defaultdict(list)
        for raw in self._client.contacts(school):
            student, sequence = contact_keys(raw)
            found[student].append((sequence, raw))
        return found

    def _probe_address(self) -> str:
        version = self._client.system_info().get("AeriesVersion")
        return f"Aeries {version} answers." if version else "Aeries answers."

    def _probe_year(self) -> str:
        tenant = self.tenant()
        autumn = self._client.year or 0
        return f"Aeries answers for {autumn}-{autumn + 1}, {tenant.name}."

    def _probe_students(self) -> str:
        school = self._a_building()
        self._client.window(school, 1, 1)
        return f"Students of {school.name} ({school.code}) can be read."

    def _probe_contacts(self) -> str:
        school = self._a_building()
        self._client.contacts(school)
        return f"Contacts of {school.name} ({school.code}) can be read."

    def _probe_pictures(self) -> str:
        school = self._a_building()
        self._client.pictures(school, 1, 1)
        return f"Pictures of {school.name} ({school.code}) can be read."

    def _a_building(self) -> SourceSchool:
        """The school to try: one of the Building mapping where it names any that is listed."""
        found = [school for school in self.schools() if school.building]
        if not found:
            raise UnusableAnswer(f"{self._client.where} lists no school that is in use.")
        return min(found, key=lambda school: school.code not in self.connection.buildings)


def _join(
    reading: windows.Reading, school: str, contacts: Mapping[str, list[tuple[int, Raw]]] | None
) -> tuple[list[tuple[RawRecord, int]], list[tuple[str, str, str]]]:
    """The rows of this school by student, each with its number of rows; and what could not be used."""
    rows: dict[str, list[Row]] = {}
    faults: dict[str, tuple[str, str, str]] = {}
    lost: list[tuple[str, str, str]] = []
    for row in reading.rows:
        if row.school != school:
            continue
        if row.fault is None:
            rows.setdefault(row.student, []).append(row)
        elif row.student:
            faults[row.student] = (row.student, row.fault.field, row.fault.message)
        else:
            lost.append(("", row.fault.field, row.fault.message))
    for student in reading.conflicting & rows.keys():
        faults[student] = (student, "StudentNumber", "Two different rows came under one StudentNumber.")
    records = [
        (_record(student, rows[student], contacts), len(rows[student]))
        for student in sorted(rows)
        if student not in faults
    ]
    return records, [faults[student] for student in sorted(faults)] + lost


def _record(student: str, rows: list[Row], contacts: Mapping[str, list[tuple[int, Raw]]] | None) -> RawRecord:
    if len(rows) > 1:
        rows = best_first(rows)
    parts: list[bytes | Raw] = [row.raw for row in rows]
    if contacts is not None:
        parts.append(CONTACTS_FOLLOW)
        own = contacts.get(student, [])
        if any(after[0] <= before[0] for before, after in pairwise(own)):
            own = sorted(own, key=_sequence)
        parts += [raw for _, raw in own]
    facts = rows[0].facts
    assert facts is not None
    return RawRecord(external_id=student, parts=tuple(parts), facts=facts)


def _sequence(contact: tuple[int, Raw]) -> tuple[int, bytes]:
    return contact[0], bytes(contact[1])


def _school(listed: Mapping[str, Any], where: str) -> SourceSchool:
    try:
        code = integer(listed.get("SchoolCode"), "SchoolCode")
        name = plain(listed.get("Name"), "Name")
        inactive = plain(listed.get("InactiveStatusCode"), "InactiveStatusCode")
        low, high = (plain(listed.get(f"{end}GradeLevel"), "GradeLevel") for end in ("Low", "High"))
    except RecordError as fault:
        raise UnusableAnswer(f"{where} lists a school that cannot be read: {fault.message}") from None
    if code is None:
        raise UnusableAnswer(f"{where} lists a school without a SchoolCode.")
    building = code not in NO_BUILDINGS and not inactive and not TEMPLATE.match(name)
    return SourceSchool(code=str(code), key=str(code), name=name, low_grade=low, high_grade=high, building=building)


def _district(listed: list[dict[str, Any]]) -> str:
    """State county and district number, as most schools give it; "" when none does."""
    numbers = Counter(
        f"{str(one.get('StateCountyID') or '').strip()}-{str(one['StateDistrictID']).strip()}"
        for one in listed
        if str(one.get("StateDistrictID") or "").strip(" 0")
    )
    return min(numbers, key=lambda number: (-numbers[number], number)) if numbers else ""


def _remedy(name: str) -> str:
    """Who must change what when a line of the check fails."""
    if name.startswith("Permission"):
        return f"Ask the district to grant {name.partition(' ')[2]} (Read) to the certificate, {WHERE_TO_GRANT}."
    return {
        "Url": "Correct the Url: the address at which the district opens Aeries.",
        CERTIFICATE: f"Correct the Token; the district finds it, as certificate, {WHERE_TO_GRANT}.",
        "School year": "Correct the Academic Year mapping, or wait until the district opens that year.",
    }[name]
