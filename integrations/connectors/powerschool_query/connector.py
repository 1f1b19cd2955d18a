"""Reads PowerSchool through the queries of our plugin: tenant, schools, students with all that is theirs, one by id."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from students.records import StudentRecord

from ...errors import IntegrationError, RecordError, UnusableAnswer
from ...parsing import UNREADABLE, integer, plain
from ..base import Check, Connection, Problem, RawRecord, Sighting, SourceCode, SourcePage, SourceSchool, Tenant
from ..options import Option, checked_options, limits
from . import plugin
from .client import INSTALL, PLUGIN_PAGE, FieldsMissing, QueryClient
from .codes import code_list
from .parse import parts_of, student_record
from .rows import cells, dates_passed, enrollment_facts, owner, roster_row
from .spool import Spool

OPTIONS: Mapping[str, Option] = {
    "page_size": Option(
        meaning="Students to a page of a run; all of a school are asked for at once.", default=500, least=1, most=5000
    ),
    "contacts": Option(meaning="Read contacts with their phones and addresses.", kind="boolean", default=True),
    "allergies": Option(meaning="Read the allergy text.", kind="boolean", default=True),
    "emails": Option(
        meaning="Read the students' own e-mail addresses.", label="Student e-mail", kind="boolean", default=True
    ),
}
NO_BUILDINGS = frozenset({0, 999999})
DISTRICT_OFFICE = "0"
DATED = (plugin.CONTACTS, plugin.ADDRESSES)
YEAR_READ = (
    "The year that PowerSchool has as its current one. PowerSchool does not tell which, and no other can be read."
)
WHAT = {
    plugin.FIND: "look up a student",
    plugin.ROSTER: "read students",
    plugin.RACES: "read races",
    plugin.EMAILS: "read students' e-mail addresses",
    plugin.CONTACTS: "read contacts",
    plugin.PHONES: "read contacts' phones",
    plugin.CONTACT_EMAILS: "read contacts' e-mail addresses",
    plugin.ADDRESSES: "read contacts' addresses",
    plugin.ALLERGIES: "read allergies",
}
"""Query → what it is asked for, for messages."""
TITLES = {name: what.removeprefix("read ").capitalize() for name, what in WHAT.items()}


class _Reading(msgspec.Struct):
    """What one school was read as: the total before, distinct students, reasons to doubt not told on a page."""

    declared: int
    received: int
    problems: tuple[Problem, ...]


class PowerSchoolQueryConnector:
    """One PowerSchool server with our plugin in it, read only."""

    system: ClassVar[str] = "powerschool_query"
    parse_version: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = True
    refuses_other_years: ClassVar[bool] = False

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._client = QueryClient(connection, limits(self._options), sleep=sleep)
        self._queries = plugin.queries(**_chosen(self._options))
        self._metadata: dict[str, Any] = {}
        self._schools: list[SourceSchool] | None = None
        self._readings: dict[str, _Reading] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        return checked_options(options, OPTIONS, system="PowerSchool Query")

    @classmethod
    def files(cls, options: Mapping[str, Any]) -> dict[str, bytes]:
        """File name → content of what a district installs: the plugin that asks for what these options read."""
        return {plugin.FILE_NAME: plugin.plugin_zip(**_chosen(cls.check_options(options)))}

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def tenant(self) -> Tenant:
        """The district that answers to the credentials; PowerSchool reads its current year."""
        self._metadata = self._client.metadata()
        found = self._metadata.get("district_uuid") or self._client.district().get("uuid")
        known = _told(found, "district_uuid", self._client.where)
        if not known:
            raise UnusableAnswer(f"{self._client.where} does not tell which district it is. Check the Url.")
        self._client.token()
        office = next((one.name for one in self.schools() if one.code == DISTRICT_OFFICE), "")
        return Tenant(id=known, name=office or self._client.host)

    def check(self) -> list[Check]:
        """Url, credentials, plugin and school year, in this order up to what fails; then every query, so that all
        fields that are missing are told at once."""
        lines: list[Check] = []
        steps: tuple[tuple[str, Callable[[], str], str], ...] = (
            ("Url", self._probe_address, "Correct the Url: the address of the PowerSchool server."),
            (
                "Consumer Token and Consumer Secret (Client ID and Client Secret)",
                self._probe_token,
                f"An administrator finds them {PLUGIN_PAGE} > the plugin > Data Provider Configuration; the plugin "
                "must be enabled.",
            ),
            ("Plugin", self._probe_plugin, INSTALL),
            ("School year", lambda: YEAR_READ, ""),
        )
        for name, step, remedy in steps:
            lines.append(_line(name, step, remedy))
            if not lines[-1].ok:
                return lines
        school = self._a_building()
        for query in self._queries[1:]:
            lines.append(_line(TITLES[query], lambda query=query: self._probe(query, school), INSTALL))  # type: ignore[misc]
        return lines

    def schools(self) -> list[SourceSchool]:
        """All schools as listed; no buildings are 0, the district office, and 999999, graduated students."""
        if self._schools is None:
            rows = self._client.rows(plugin.SCHOOLS, {}, doing="list the schools")
            found = [_school(row, self._client.where) for row in rows]
            self._schools = list({school.code: school for school in found}.values())
        return self._schools

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The school's enrolled and pre-registered students by DCID, everything of theirs joined.

        All rows of the school lie in files before the first page is given. Where the pages before ``first``
        cannot hold ``rows_before`` rows any more, the first page given has the problem ``resume_differs``. A school
        without students gives one empty page.
        """
        size = int(self._options["page_size"])
        with ExitStack() as files:
            declared = self._count(school)
            roster, problems, lost = self._roster(files, school)
            others = {query: self._others(files, school, query) for query in self._queries[3:]}
            students = roster.students()
            before = min((first - 1) * size, len(students))
            if rows_before != before:
                problems = (Problem("resume_differs", f"School {school.code} has changed meanwhile."), *problems)
            reading = _Reading(declared, len(students) + len(lost), problems)
            self._readings[school.code] = reading
            start, today = (first - 1) * size, self._today()
            while start < len(students) or start == 0 or reading.problems:
                rows = [(student, roster.of(student)) for student in students[start : start + size]]
                page = _page(start // size + 1, rows, others, reading, school, today)
                if start == 0:
                    page = msgspec.structs.replace(page, rejected=(*page.rejected, *lost), rows=page.rows + len(lost))
                reading.problems = ()
                yield page
                start += size

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Counts again and compares with the rows received. A school this connector has not read to its end is
        not confirmed."""
        reading = self._readings.pop(school.code, None)
        name = f"School {school.code}"
        if reading is None:
            return (Problem("count_disagrees", f"{name} was not read to its end."),)
        count = self._count(school)
        if count != reading.declared:
            return (*reading.problems, Problem("count_disagrees", f"{name} changed while it was read."))
        told = f"{name} has {count} students and sent {reading.received}."
        if reading.received < count:
            return (*reading.problems, Problem("page_skipped", told))
        if reading.received > count:
            return (*reading.problems, Problem("count_disagrees", told))
        return reading.problems

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One joined record in canonical shape, codes still PowerSchool's. Raises RecordError."""
        return student_record(record, school.code, today=self._today())

    def codes(self, entity: str) -> list[SourceCode] | None:
        """The codes of contacts that PowerSchool keeps; None for the others."""
        return code_list(self._client, entity, contacts=bool(self._options["contacts"]))

    def find(self, external_id: str) -> list[Sighting]:
        """The one record PowerSchool holds of a student, wherever it is enrolled."""
        if not external_id.isdigit():
            return []
        rows = self._client.rows(plugin.FIND, {"dcid": external_id}, doing=f"look up student {external_id}")
        try:
            found = [enrollment_facts(cells(row)) for row in rows]
        except (RecordError, *UNREADABLE) as fault:
            told = f"{self._client.where} sent a record of student {external_id} that cannot be read"
            raise UnusableAnswer(f"{told}: {getattr(fault, 'message', 'no text')}") from None
        return [Sighting(school=school, status=facts.status, left=facts.left) for school, facts in found]

    def _count(self, school: SourceSchool) -> int:
        doing = f"read students of school {school.code}"
        return self._client.count(plugin.ROSTER, {"school": school.code}, doing=doing)

    def _roster(
        self, files: ExitStack, school: SourceSchool
    ) -> tuple[Spool, tuple[Problem, ...], list[tuple[str, str, str]]]:
        """The rows of the school's students, what speaks against them, and the rows that name no student."""
        spool, lost = files.enter_context(Spool()), list[tuple[str, str, str]]()

        def keep(rows: Sequence[Raw]) -> None:
            for raw in rows:
                row = roster_row(raw)
                if row.student:
                    spool.add(row.student, row.raw)
                elif row.fault:
                    lost.append(("", row.fault.field, row.fault.message))

        doing = f"read students of school {school.code}"
        total = self._client.read(plugin.ROSTER, {"school": school.code}, keep, doing=doing)
        name, received = f"School {school.code}", spool.rows + len(lost)
        problems = []
        if received != total:
            code = "page_truncated" if received < total else "count_disagrees"
            problems.append(Problem(code, f"{name} sent {received} students of {total}."))
        if spool.rows > len(spool.students()):
            problems.append(Problem("page_repeated", f"Students of {name.lower()} came twice."))
        if lost:
            problems.append(Problem("unreadable_rows", f"{name} sent students that cannot be told apart."))
        return spool, tuple(problems), lost

    def _others(self, files: ExitStack, school: SourceSchool, query: str) -> Spool:
        """The rows of another query for the school. Raises UnusableAnswer when one is missing or is nobody's, so that
        nothing of a student is taken for gone."""
        spool, doing = files.enter_context(Spool()), f"{WHAT[query]} of school {school.code}"

        def keep(rows: Sequence[Raw]) -> None:
            for raw in rows:
                spool.add(owner(raw), bytes(raw))

        try:
            total = self._client.read(query, {"school": school.code}, keep, doing=doing)
        except (RecordError, *UNREADABLE):
            raise UnusableAnswer(
                f"{self._client.where}, asked to {doing}, sent rows that name no student. Try again later."
            ) from None
        if spool.distinct != total:
            raise self._client.incomplete(doing, spool.distinct, total)
        return spool

    def _probe_address(self) -> str:
        self._metadata = self._client.metadata()
        version = self._metadata.get("powerschool_version")
        return f"PowerSchool {version} answers." if version else "PowerSchool answers."

    def _probe_token(self) -> str:
        self._client.token()
        return "PowerSchool accepts them."

    def _probe_plugin(self) -> str:
        found = sum(school.building for school in self.schools())
        self._a_building()
        return f"It is there, and {self.tenant().name} lists {found} schools."

    def _probe(self, query: str, school: SourceSchool) -> str:
        arguments = {"dcid": "0"} if query == plugin.FIND else {"school": school.code}
        total = self._client.read(query, arguments, lambda _: None, doing=WHAT[query], page_size=1)
        if query == plugin.FIND:
            return "A student can be looked up."
        return f"{total} rows of {school.name} ({school.code}) can be read."

    def _a_building(self) -> SourceSchool:
        """The school to try: one of the Building mapping where it names any that is listed."""
        found = [school for school in self.schools() if school.building]
        if not found:
            raise UnusableAnswer(f"{self._client.where} lists no school.")
        return min(found, key=lambda school: school.code not in self.connection.buildings)

    def _today(self) -> dt.date:
        """The day in the district's zone, where the server has told it."""
        try:
            zone = ZoneInfo(str(self._metadata.get("district_timezone") or ""))
        except (ValueError, OSError, KeyError):
            return dt.date.today()
        return dt.datetime.now(zone).date()


def _chosen(options: Mapping[str, Any]) -> dict[str, bool]:
    return {name: bool(options[name]) for name in plugin.OPTIONAL}


def _line(name: str, step: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, step())
    except FieldsMissing as error:
        return Check(name, False, error.what, error.remedy)
    except IntegrationError as error:
        return Check(name, False, error.message, remedy)


def _page(
    number: int,
    rows: Sequence[tuple[str, tuple[bytes, ...]]],
    others: Mapping[str, Spool],
    reading: _Reading,
    school: SourceSchool,
    today: dt.date,
) -> SourcePage:
    """One page of these students; two different rows of one reject it."""
    records, rejected = [], []
    for student, found in rows:
        row = roster_row(found[0])
        if len(found) > 1:
            rejected.append((student, "dcid", "Two different rows came under one dcid."))
        elif row.fault is not None:
            rejected.append((student, row.fault.field, row.fault.message))
        elif row.facts is not None and row.school in ("", school.code):
            theirs = {query: spool.of(student) for query, spool in others.items()}
            dated = [one for query in DATED for one in theirs.get(query, ())]
            parts = parts_of(row.raw, theirs, b"%d" % dates_passed(dated, today))
            records.append(RawRecord(external_id=student, parts=parts, facts=row.facts))
    return SourcePage(
        number=number,
        records=records,
        rows=len(rows),
        declared=reading.declared,
        problems=reading.problems,
        rejected=tuple(rejected),
    )


def _told(value: Any, field: str, where: str) -> str:
    try:
        return plain(value, field)
    except RecordError as fault:
        raise UnusableAnswer(f"{where} sent something that cannot be read: {fault.message}") from None


def _school(row: bytes, where: str) -> SourceSchool:
    try:
        found = cells(row)
        number = integer(found.get("school_number"), "school_number")
        name, low, high = (plain(found.get(key), key) for key in ("name", "low_grade", "high_grade"))
    except (RecordError, *UNREADABLE) as fault:
        told = getattr(fault, "message", "no text")
        raise UnusableAnswer(f"{where} lists a school that cannot be read: {told}") from None
    if number is None:
        raise UnusableAnswer(f"{where} lists a school without a number.")
    return SourceSchool(
        code=str(number),
        key=str(number),
        name=name,
        low_grade=low,
        high_grade=high,
        building=number not in NO_BUILDINGS,
    )
