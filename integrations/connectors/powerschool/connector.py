"""Reads PowerSchool: tenant, schools, students with their contacts, a student by id."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from students.records import StudentRecord

from ...errors import IntegrationError, RecordError, UnusableAnswer
from ...parsing import integer, plain
from ..base import Check, Connection, Problem, RawRecord, Sighting, SourceCode, SourcePage, SourceSchool, Tenant
from ..options import Option, checked_options, limits
from .client import DEFAULT_MAX_PAGE, PLUGIN_PAGE, PowerSchoolClient
from .codes import code_list
from .parse import CONTACTS_FOLLOW, student_record
from .rows import Row, dates_passed, enrollment_facts, in_order, student_row

FROM_API, FROM_RECORD, NONE = "contacts_api", "student_record", "none"
OPTIONS: Mapping[str, Option] = {
    "page_size": Option(
        meaning="Students to a page; never more than the plugin allows.", default=500, least=1, most=5000
    ),
    "contacts": Option(
        meaning="Where contacts come from: the contacts of PowerSchool 12 and later, one request for each "
        "student; the mother, father and emergency fields of the student record; or nowhere.",
        kind="choice",
        default=FROM_API,
        choices=(FROM_API, FROM_RECORD, NONE),
        names={FROM_API: "Contacts of PowerSchool 12 and later", FROM_RECORD: "Student record", NONE: "Nowhere"},
    ),
}
NO_BUILDINGS = frozenset({0, 999999})
MOST_PAGES = 10_000
MOST_TRIED = 10
YEAR_READ = (
    "The year that PowerSchool has as its current one. PowerSchool does not tell which, and no other can be read."
)


class _Reading(msgspec.Struct):
    """How far a school has been read: rows received, each once, and how full the last page was."""

    declared: int
    size: int
    received: int
    last: int = 0
    last_rows: int = 0


class PowerSchoolConnector:
    """One PowerSchool server, read only."""

    system: ClassVar[str] = "powerschool"
    parse_version: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = True
    refuses_other_years: ClassVar[bool] = False

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._client = PowerSchoolClient(connection, limits(self._options), sleep=sleep)
        self._metadata: dict[str, Any] | None = None
        self._schools: list[SourceSchool] | None = None
        self._readings: dict[str, _Reading] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        return checked_options(options, OPTIONS, system="PowerSchool")

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def tenant(self) -> Tenant:
        """The district that answers; PowerSchool reads its current year, whatever year is asked for."""
        found = self._client.district()
        try:
            number, name = (
                plain(found.get("district_number"), "district_number"),
                plain(found.get("name"), "name"),
            )
            known = plain(found.get("uuid"), "uuid") or number
        except RecordError as fault:
            raise UnusableAnswer(f"{self._client.where} names its district unreadably: {fault.message}") from None
        if not known:
            raise UnusableAnswer(f"{self._client.where} does not tell which district it is. Check the Url.")
        return Tenant(id=known, name=name or number or known)

    def check(self) -> list[Check]:
        """Address, credentials, access level, year, students and contacts, in this order up to what fails."""
        lines: list[Check] = []
        for name, step, remedy in self._steps():
            try:
                lines.append(Check(name, True, step()))
            except IntegrationError as error:
                lines.append(Check(name, False, error.message, remedy))
                break
        return lines

    def schools(self) -> list[SourceSchool]:
        """All schools as listed; no buildings are 0, the district office, and 999999, graduated students."""
        if self._schools is None:
            size = self._largest("school_max_page_size")
            found: list[SourceSchool] = []
            for page in range(1, MOST_PAGES):
                listed = [_school(one, self._client.where) for one in self._client.schools(page, size)]
                known = {school.key for school in found}
                found += [school for school in listed if school.key not in known]
                if len(listed) < size or all(school.key in known for school in listed):
                    break
            self._schools = found
        return self._schools

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The school's enrolled and pre-registered students as PowerSchool pages them, contacts joined.

        Where the pages before ``first`` cannot hold ``rows_before`` rows any more, the first page given has
        the problem ``resume_differs``. A school without students gives one empty page.
        """
        size = self._page_size()
        reading = _Reading(self._client.student_count(school), size, rows_before, first - 1)
        self._readings[school.code] = reading
        expected = (first - 1) * size
        seen: dict[str, Row] = {}
        for number in range(first, MOST_PAGES):
            rows = [student_row(raw) for raw in self._students(school, number)]
            differs = number == first and (rows_before > expected or bool(rows and rows_before < expected))
            if rows or number == 1 or differs:
                page = self._page(school, number, rows, reading, seen)
                if differs:
                    changed = Problem("resume_differs", f"School {school.code} has changed meanwhile.")
                    page = msgspec.structs.replace(page, problems=(changed, *page.problems))
                yield page
            if not rows or reading.received >= reading.declared or not reading.last_rows:
                return

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Counts again, compares with the rows received, and looks behind a last page that was full.

        A school whose pages this connector has not read is not confirmed.
        """
        reading = self._readings.pop(school.code, None)
        name = f"School {school.code}"
        if reading is None:
            return (Problem("count_disagrees", f"{name} was not read to its end."),)
        count = self._client.student_count(school)
        told = f"{name} has {count} students and sent {reading.received}."
        if count != reading.declared:
            return (Problem("count_disagrees", f"{name} changed while it was read."),)
        if reading.received < count:
            return (Problem("page_skipped", told),)
        if reading.received > count:
            return (Problem("count_disagrees", told),)
        if reading.last_rows >= reading.size and self._students(school, reading.last + 1):
            return (Problem("count_disagrees", f"{name} has more students than it counts."),)
        return ()

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One joined record in canonical shape, codes still PowerSchool's. Raises RecordError."""
        return student_record(record, school.code, today=self._today())

    def codes(self, entity: str) -> list[SourceCode] | None:
        """The codes PowerSchool tells for an entity; None where it tells none."""
        return code_list(self._client, entity)

    def find(self, external_id: str) -> list[Sighting]:
        """The one record PowerSchool holds of a student, wherever it is enrolled."""
        if not external_id.isdigit():
            return []
        found = self._client.student(external_id)
        if found is None:
            return []
        try:
            school, facts = enrollment_facts(found.get("school_enrollment"))
        except RecordError as fault:
            told = f"{self._client.where} sent a record of student {external_id} that cannot be read"
            raise UnusableAnswer(f"{told}: {fault.message}") from None
        return [Sighting(school=school, status=facts.status, left=facts.left)]

    def _steps(self) -> list[tuple[str, Callable[[], str], str]]:
        """The lines of the check: name, what to try, and who must change what when it fails."""
        enabled = f"An administrator finds the Client ID and Secret {PLUGIN_PAGE}; the plugin must be enabled."
        level = f"An administrator sets the plugin's V1 API access level to READ, {PLUGIN_PAGE}."
        steps = [
            ("Url", self._probe_address, "Correct the Url: the address of the PowerSchool server."),
            ("Consumer Token and Consumer Secret (Client ID and Client Secret)", self._probe_token, enabled),
            ("Plugin access", lambda: f"The district is {self.tenant().name}.", level),
            ("School year", lambda: YEAR_READ, ""),
            ("Students", self._probe_students, level),
        ]
        if self._options["contacts"] == FROM_API:
            instead = "Let the plugin read contacts, or set the option contacts to student_record."
            steps.append(("Contacts", self._probe_contacts, instead))
        return steps

    def _probe_address(self) -> str:
        version = self._about().get("powerschool_version")
        return f"PowerSchool {version} answers." if version else "PowerSchool answers."

    def _probe_token(self) -> str:
        self._client.token()
        return "PowerSchool accepts them."

    def _probe_students(self) -> str:
        school = self._buildings()[0]
        return f"{school.name} ({school.code}) has {self._client.student_count(school)} students."

    def _probe_contacts(self) -> str:
        for school in self._buildings()[:MOST_TRIED]:
            for raw in self._client.students(school, 1, 1, contact=False):
                if (row := student_row(raw)).student:
                    count = len(self._client.contacts(row.student))
                    return f"{count} contacts of one student of {school.name} ({school.code}) were read."
        return "No student was found to try it with."

    def _buildings(self) -> list[SourceSchool]:
        """The schools to try, those of the Building mapping first."""
        found = [school for school in self.schools() if school.building]
        if not found:
            raise UnusableAnswer(f"{self._client.where} lists no school.")
        return sorted(found, key=lambda school: school.code not in self.connection.buildings)

    def _about(self) -> dict[str, Any]:
        if self._metadata is None:
            self._metadata = self._client.metadata()
        return self._metadata

    def _largest(self, name: str) -> int:
        try:
            return integer(self._about().get(name), name) or DEFAULT_MAX_PAGE
        except RecordError:
            return DEFAULT_MAX_PAGE

    def _page_size(self) -> int:
        return min(int(self._options["page_size"]), self._largest("student_max_page_size"))

    def _today(self) -> dt.date:
        """The day in the district's zone, where the server has told it."""
        try:
            zone = ZoneInfo(str((self._metadata or {}).get("district_timezone") or ""))
        except (ValueError, OSError, KeyError):
            return dt.date.today()
        return dt.datetime.now(zone).date()

    def _students(self, school: SourceSchool, number: int) -> list[Raw]:
        contact = self._options["contacts"] == FROM_RECORD
        return self._client.students(school, number, self._page_size(), contact=contact)

    def _page(
        self, school: SourceSchool, number: int, rows: list[Row], reading: _Reading, seen: dict[str, Row]
    ) -> SourcePage:
        """One page of what is new in these rows; the reading is told of them."""
        new, rejected, problems = _sorted_out(rows, seen, f"school {school.code}")
        if len(rows) > reading.size:
            message = f"School {school.code} came in larger pages than asked for."
            problems.append(Problem("page_size_ignored", message))
        count = len(new) + len(rejected)
        reading.received, reading.last, reading.last_rows = reading.received + count, number, count
        kept = [row for row in new if row.school in ("", school.code)]
        return SourcePage(
            number=number,
            records=self._records(kept),
            rows=count,
            declared=reading.declared,
            problems=tuple(problems),
            rejected=tuple(rejected),
        )

    def _records(self, rows: Sequence[Row]) -> list[RawRecord]:
        if self._options["contacts"] != FROM_API:
            return [_record(row, (row.raw,)) for row in rows]
        today = self._today()
        found = self._contacts([row.student for row in rows])
        return [_record(row, _with_contacts(row.raw, one, today)) for row, one in zip(rows, found, strict=True)]

    def _contacts(self, students: Sequence[str]) -> list[list[Raw]]:
        """The contacts of each student, as many requests at once as the options allow."""
        at_once = min(int(self._options["max_at_once"]), len(students))
        if at_once < 2:
            return [self._client.contacts(student) for student in students]
        with ThreadPoolExecutor(at_once) as pool:
            try:
                return list(pool.map(self._client.contacts, students))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _sorted_out(
    rows: Sequence[Row], seen: dict[str, Row], name: str
) -> tuple[list[Row], list[tuple[str, str, str]], list[Problem]]:
    """Rows not seen before, rows that cannot be used, and what is wrong with the page.

    Two different rows of one student within the page reject both.
    """
    new: dict[str, Row] = {}
    rejected: dict[str, tuple[str, str, str]] = {}
    lost: list[tuple[str, str, str]] = []
    repeated = False
    for row in rows:
        if not row.student:
            assert row.fault is not None
            lost.append(("", row.fault.field, row.fault.message))
        elif row.student in seen:
            repeated = True
            if row.student in new and bytes(new[row.student].raw) != bytes(row.raw):
                rejected[row.student] = (row.student, "id", "Two different rows came under one id.")
        else:
            seen[row.student] = row
            if row.fault:
                rejected[row.student] = (row.student, row.fault.field, row.fault.message)
            else:
                new[row.student] = row
    problems = []
    if repeated:
        problems.append(Problem("page_repeated", f"Students of {name} came twice."))
    if lost:
        problems.append(Problem("unreadable_rows", f"Students of {name} cannot be told apart: without an id."))
    kept = [row for student, row in new.items() if student not in rejected]
    return kept, [*rejected.values(), *lost], problems


def _record(row: Row, parts: tuple[bytes | Raw, ...]) -> RawRecord:
    assert row.facts is not None
    return RawRecord(external_id=row.student, parts=parts, facts=row.facts)


def _with_contacts(raw: Raw, contacts: list[Raw], today: dt.date) -> tuple[bytes | Raw, ...]:
    """The parts of a record; one counts the dates gone by, so that a link that ends is a change."""
    return (raw, CONTACTS_FOLLOW, b"%d" % dates_passed(contacts, today), *in_order(contacts))


def _school(listed: Mapping[str, Any], where: str) -> SourceSchool:
    try:
        number, key = integer(listed.get("school_number"), "school_number"), integer(listed.get("id"), "id")
        name = plain(listed.get("name"), "name")
        low, high = plain(listed.get("low_grade"), "low_grade"), plain(listed.get("high_grade"), "high_grade")
    except RecordError as fault:
        raise UnusableAnswer(f"{where} lists a school that cannot be read: {fault.message}") from None
    if number is None or key is None:
        raise UnusableAnswer(f"{where} lists a school without a number or an id.")
    return SourceSchool(
        code=str(number),
        key=str(key),
        name=name,
        low_grade=low,
        high_grade=high,
        building=number not in NO_BUILDINGS,
    )
