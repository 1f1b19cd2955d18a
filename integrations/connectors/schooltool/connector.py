"""Reads a SchoolTool roster feed: tenant, buildings, students with contacts. The contract is ours: see the README."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from students.records import StudentRecord

from ...errors import IntegrationError, RecordError, UnusableAnswer
from ...parsing import plain
from ..base import Check, Connection, Problem, RawRecord, Sighting, SourcePage, SourceSchool, Tenant
from ..options import Option, checked_options, limits
from .client import SchoolToolClient, year_name
from .feed import Feed, look_again, read_lists
from .file import read_file
from .parse import student_record

OPTIONS: Mapping[str, Option] = {
    "page_size": Option(
        meaning="Students asked for in one request, and records to a page.",
        label="Students to a page",
        default=200,
        least=1,
        most=500,
    ),
}
DISTRICT = "0000"
PASTE = "Ask the district for the roster URL and paste it whole, with its token."


class SchoolToolConnector:
    """One roster feed, read only. The whole district is read once and kept in a temporary file."""

    system: ClassVar[str] = "schooltool"
    parse_version: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = False
    refuses_other_years: ClassVar[bool] = True

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._client = SchoolToolClient(connection, limits(self._options), sleep=sleep)
        self._size = int(self._options["page_size"])
        self._feed: Feed | None = None
        self._listed: list[dict[str, Any]] | None = None
        self._told: dict[str, int] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        return checked_options(options, OPTIONS, system="SchoolTool")

    def close(self) -> None:
        """Release the connection and the temporary files."""
        self._forget()
        self._client.close()

    def tenant(self) -> Tenant:
        """The district, as most BEDS codes of the buildings begin; the host where none has one."""
        codes = (plain(one.get("bedsCode"), "bedsCode") for one in self._buildings())
        common = Counter(code[:8] for code in codes if len(code) == 12 and code.isdigit()).most_common(1)
        district = f"{common[0][0]}{DISTRICT}" if common else self._client.host
        return Tenant(id=district, name=f"district {district}")

    def check(self) -> list[Check]:
        """Url with its token, school year, buildings and students, in this order up to what fails."""
        lines: list[Check] = []
        for name, step, remedy in (
            ("Url", self._probe_address, PASTE),
            ("School year", self._probe_year, "Wait until the district opens the year, or correct the clock."),
            ("Buildings", self._probe_buildings, PASTE),
            ("Students", self._probe_students, "Ask the district to give the feed whole."),
        ):
            try:
                lines.append(Check(name, True, step()))
            except IntegrationError as error:
                lines.append(Check(name, False, error.message, remedy))
                break
        return lines

    def schools(self) -> list[SourceSchool]:
        """All buildings of the feed; none is one whose BEDS code ends in 0000, the district itself."""
        return [self._school(one) for one in self._buildings()]

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The building's students by id. The feed's problems come with page 1, else with ``confirm``.

        The feed is read for the first building, and anew for one whose reading begins again.

        Where the pages before ``first`` do not hold ``rows_before`` rows any more, ``confirm`` tells
        ``resume_differs``. A building without students gives one empty page.
        """
        if school.code in self._told:
            self._forget()
        feed = self._read()
        students, rejected = feed.students(school.code), feed.rejected(school.code)
        last = max(1, -(-len(students) // self._size))
        before = min(len(students), (first - 1) * self._size) + len(rejected)
        if first > 1 and (before != rows_before or first > last + 1):
            feed.note("resume_differs", f"School {school.code} has changed meanwhile.")
        told = tuple(feed.problems) if first == 1 else ()
        self._told[school.code] = len(told)
        for number in range(first, last + 1):
            page = students[(number - 1) * self._size : number * self._size]
            more = tuple(rejected) if number == 1 else ()
            yield SourcePage(
                number=number,
                records=[feed.record(student, school.code) for student in page],
                rows=len(page) + len(more),
                problems=told if number == 1 else (),
                rejected=more,
            )

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Looks at the end of the list again, which must be as it was; a file was whole in itself."""
        feed = self._read()
        found = feed.problems[self._told.get(school.code, 0) :]
        again = None if self._client.is_file else look_again(self._client, feed, size=self._size)
        return (*found, again) if again else tuple(found)

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One student of a building in canonical shape, codes still the feed's. Raises RecordError."""
        return student_record(record, school.code)

    def find(self, external_id: str) -> list[Sighting]:
        """Where the feed, read anew, says a student is; it holds active students only, so [] is no proof.

        Raises UnusableAnswer when it cannot be read whole.
        """
        feed = self._read_anew()
        try:
            if feed.problems:
                raise UnusableAnswer(f"{self._client.where} could not be read whole: {feed.problems[0].message}")
            stays = feed.stays(external_id)
            return [Sighting(school=one.building, status=one.facts.status, left=one.facts.left) for one in stays]
        finally:
            feed.close()

    def _probe_address(self) -> str:
        kind = "a CSV file" if self._client.is_file else "JSON lists"
        return f"a SchoolTool roster feed, version 1 (our own contract), as {kind}"

    def _probe_year(self) -> str:
        return f"{year_name(self._client.year)}, {self.tenant().name}"

    def _probe_buildings(self) -> str:
        found = sum(one.building for one in self.schools())
        if not found:
            raise UnusableAnswer(f"{self._client.where} lists no building.")
        return f"{found} buildings listed"

    def _probe_students(self) -> str:
        if not self._client.is_file:
            return f"{self._client.page('students', 1, 1).totalRecords} students can be read"
        feed = self._read()
        doubt = f"; {feed.problems[0].message}" if feed.problems else ""
        return f"{len(feed)} students in the file{doubt}"

    def _read(self) -> Feed:
        """The feed, read once."""
        if self._feed is None:
            self._feed = self._read_anew()
        return self._feed

    def _forget(self) -> None:
        if self._feed is not None:
            self._feed.close()
        self._feed, self._told = None, {}

    def _read_anew(self) -> Feed:
        today = dt.date.today()
        if not self._client.is_file:
            return read_lists(self._client, size=self._size, today=today)
        found = read_file(self._client, today=today)
        self._listed = found.buildings
        return found.feed

    def _buildings(self) -> list[dict[str, Any]]:
        if self._listed is None:
            if self._client.is_file:
                self._read()
            else:
                self._listed = self._client.buildings()
        return self._listed or []

    def _school(self, listed: Mapping[str, Any]) -> SourceSchool:
        try:
            code, beds = plain(listed.get("buildingId"), "buildingId"), plain(listed.get("bedsCode"), "bedsCode")
            name = plain(listed.get("name"), "name")
            low, high = plain(listed.get("lowGrade"), "lowGrade"), plain(listed.get("highGrade"), "highGrade")
        except RecordError as fault:
            raise UnusableAnswer(f"{self._client.where} lists a building unreadably: {fault.message}") from None
        if not code:
            raise UnusableAnswer(f"{self._client.where} lists a building without a buildingId.")
        building = not (len(beds) == 12 and beds.endswith(DISTRICT))
        return SourceSchool(code=code, key=code, name=name or code, low_grade=low, high_grade=high, building=building)
