"""Reads Illuminate: tenant, sites, students with their enrollment and contacts, a student by id."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Raw

from students.records import StudentRecord

from ...errors import ConfigurationError, IntegrationError, RecordError, UnusableAnswer
from ...parsing import plain
from ..base import Check, Connection, Problem, RawRecord, Sighting, SourceCode, SourcePage, SourceSchool, Tenant
from ..options import Option, checked_options, limits
from .client import OAUTH1, OAUTH2, WHERE_TO_GRANT, IlluminateClient, PageOfRows
from .codes import code_list
from .lists import confirm, read_list
from .parse import student_record
from .profile import SHIPPED, Endpoint, as_json, profile_of, row_of
from .rows import best, facts_of
from .site import SiteReader, SiteReading, by_student

OPTIONS: Mapping[str, Option] = {
    "page_size": Option(
        meaning="Rows asked for in one request, and students to a page.", default=200, least=1, most=1000
    ),
    "sign_in": Option(
        meaning="How the console signs in: with the four values of an access key, or with client id and client secret "
        "as Consumer Token and Consumer Secret.",
        kind="choice",
        default=OAUTH1,
        choices=(OAUTH1, OAUTH2),
        names={OAUTH1: "OAuth 1.0a, four values", OAUTH2: "OAuth 2, client credentials"},
    ),
    "session_types": Option(
        meaning="Session types that are an enrollment, separated by commas; 1 is the normal year, 2 summer.",
        kind="codes",
        default=["1"],
    ),
    "parameters": Option(
        meaning='Sent with every request, such as {"vendor": "CALPADS"} for the codes of a vendor.',
        kind="json",
        default={},
    ),
    "profile": Option(
        meaning="Illuminate publishes only a part of its API: paths and names of students, enrollments, contacts and "
        "terms are our reading of it. What a district's API calls otherwise is corrected here, such as "
        '{"students": {"path": "Student/", "fields": {"gender": "sex"}}}.',
        label="Endpoint profile",
        kind="json",
        default=as_json(SHIPPED),
    ),
}
DISTRICT_SITE = "9999999"
DISTRICT_TYPE = "DISTRICT"
FIRST_MONTH = 7
MOST_SITES = 1_000_000
"""Sites come in one list without pages, as documented."""


class IlluminateConnector:
    """One Illuminate instance, read only."""

    system: ClassVar[str] = "illuminate"
    parse_version: ClassVar[int] = 1
    can_be_asked: ClassVar[bool] = True
    refuses_other_years: ClassVar[bool] = True

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._profile = profile_of(self._options["profile"])
        self._client = IlluminateClient(
            connection,
            limits(self._options),
            sign_in=self._options["sign_in"],
            parameters=self._options["parameters"],
            sleep=sleep,
        )
        today = dt.date.today()
        autumn = connection.year or (today.year if today.month >= FIRST_MONTH else today.year - 1)
        self._year, self._size = autumn + 1, int(self._options["page_size"])
        self._reader = SiteReader(
            self._client,
            self._profile,
            year=self._year,
            size=self._size,
            sessions=frozenset(self._options["session_types"]),
        )
        self._sites: list[dict[str, Any]] | None = None
        self._readings: dict[str, SiteReading] = {}
        self._sightings: dict[str, list[Sighting]] | None = None

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        checked = checked_options(options, OPTIONS, system="Illuminate")
        profile_of(checked["profile"])
        for name, value in checked["parameters"].items():
            if not isinstance(value, str) or not (name + value).isprintable():
                raise ConfigurationError(f"The option parameters of Illuminate must hold a text under {name[:60]}.")
        return checked

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def tenant(self) -> Tenant:
        """The district that answers, by its own site (by its address where it lists none)."""
        endpoint = self._profile["sites"]
        office = next((row for row in self._site_rows() if _is_district(row, endpoint)), None)
        if office is None:
            known = urlsplit(self._client.base).netloc
            return Tenant(id=self._client.base.partition("://")[2], name=known)
        number, state, name = (
            _told(office, endpoint, field, self._client.where) for field in ("site_id", "state_school_id", "site_name")
        )
        return Tenant(id=str(state or number), name=name or f"district {number}")

    def check(self) -> list[Check]:
        """Address and credentials, district, and each list of the profile; one that fails bars no other."""
        lines: list[Check] = []
        for name, step, remedy in self._steps():
            try:
                lines.append(Check(name, True, step()))
            except IntegrationError as error:
                lines.append(Check(name, False, error.message, remedy))
                if len(lines) < 3:
                    break
        return lines

    def schools(self) -> list[SourceSchool]:
        """All sites as listed; the district's own is no building."""
        endpoint = self._profile["sites"]
        return [self._school(row, endpoint) for row in self._site_rows()]

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The students of a site by id, each once with the enrollment there and all contacts.

        The whole site is read before the first page, whatever ``first`` is, since rows of three lists must be
        joined. Its problems come with page 1; when the reading starts later, with ``confirm``, and among them
        ``resume_differs`` where the pages before are not of ``rows_before`` rows any more. A site without
        students gives one empty page. Raises TenantChanged where another academic year answers.
        """
        reading = self._reader.read(school)
        records, rejected = reading.records, reading.rejected
        last = max(1, -(-len(records) // self._size))
        before = min(len(records), (first - 1) * self._size) + len(rejected)
        if first > 1 and (before != rows_before or first > last + 1):
            reading.problems.append(Problem("resume_differs", f"School {school.code} has changed meanwhile."))
        told = tuple(reading.problems) if first == 1 else ()
        reading.told = len(told)
        self._readings[school.code] = reading
        for number in range(first, last + 1):
            page = records[(number - 1) * self._size : number * self._size]
            yield SourcePage(
                number=number,
                records=page,
                rows=len(page) + (len(rejected) if number == 1 else 0),
                declared=reading.declared,
                problems=told if number == 1 else (),
                rejected=tuple(rejected) if number == 1 else (),
            )

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Reads first and last page of every list of the site again: rows and counts must be as they were.

        A site whose pages this connector has not read is not confirmed.
        """
        reading = self._readings.pop(school.code, None)
        if reading is None:
            return (Problem("count_disagrees", f"School {school.code} was not read to its end."),)
        found = reading.problems[reading.told :]
        for listing, fetch in reading.lists:
            found += confirm(listing, fetch)
        return tuple(found)

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One joined record in canonical shape, codes still Illuminate's. Raises RecordError."""
        return student_record(record, school.code, profile=self._profile)

    def codes(self, entity: str) -> list[SourceCode] | None:
        """The codes Illuminate keeps for an entity; None where it keeps none, or the profile leaves them out."""
        return code_list(self._client, self._profile, entity)

    def find(self, external_id: str) -> list[Sighting]:
        """Where the enrollments of all sites say a student is; they are read once, at the first question.

        Raises UnusableAnswer when one of them cannot be proven to have been read whole.
        """
        if not external_id.isdigit():
            return []
        if self._sightings is None:
            self._sightings = self._all_sightings()
        return self._sightings.get(external_id, [])

    def _all_sightings(self) -> dict[str, list[Sighting]]:
        found: dict[str, list[Sighting]] = defaultdict(list)
        for school in self.schools():
            if not school.building:
                continue
            listing, fetch, stays = self._reader.whole_enrollments(school)
            doubts = [one.message for one in confirm(listing, fetch)] + [s.fault.message for s in stays if s.fault]
            if doubts:
                raise UnusableAnswer(
                    f"{self._client.where} cannot tell where students are, for enrollments of school {school.code} "
                    f"cannot be relied on: {doubts[0]}"
                )
            day = self._reader.day(school, stays)
            for student, own in by_student(stays).items():
                if (stay := best(own, day)) is not None:
                    facts = facts_of(stay, day)
                    found[student].append(Sighting(school=school.code, status=facts.status, left=facts.left))
        return dict(found)

    def _steps(self) -> list[tuple[str, Callable[[], str], str]]:
        """The lines of the check: name, what to try, and who must change what when it fails."""
        keys = f"Correct the Url and the credentials; the district finds them {WHERE_TO_GRANT}."
        return [
            ("Url and credentials", lambda: f"Illuminate answers and lists {len(self._site_rows())} sites.", keys),
            ("District", self._probe_district, keys),
            *[
                (name.replace("_", " ").capitalize(), self._probe(endpoint), _remedy(endpoint))
                for name, endpoint in self._profile.items()
                if name not in ("sites", "codes")
            ],
        ]

    def _probe_district(self) -> str:
        return f"The district is {self.tenant().name}, the academic year {self._year - 1}-{self._year}."

    def _probe(self, endpoint: Endpoint) -> Callable[[], str]:
        """What reads the first rows of a list."""

        def step() -> str:
            if not endpoint.path:
                return "Not read: the option profile leaves it out."
            school = self._a_building()
            values = self._reader.values(school, page="1", limit="1", date=dt.date.today().isoformat())
            page = self._client.page(endpoint, values, doing=f"read {endpoint.name} of school {school.code}")
            if endpoint.name == "grade_levels":
                return _grades_told(page.rows, endpoint)
            count = len(page.rows) if page.total is None else page.total
            return f"{count} rows of {school.name} ({school.code})."

        return step

    def _a_building(self) -> SourceSchool:
        """The school to try: one of the Building mapping where it names any that is listed."""
        found = [school for school in self.schools() if school.building]
        if not found:
            raise UnusableAnswer(f"{self._client.where} lists no school.")
        return min(found, key=lambda school: school.code not in self.connection.buildings)

    def _site_rows(self) -> list[dict[str, Any]]:
        if self._sites is None:
            endpoint = self._profile["sites"]

            def fetch(number: int) -> PageOfRows:
                known = {"page": str(number), "limit": str(MOST_SITES)}
                return self._client.page(endpoint, known, doing="list its sites")

            listing = read_list(fetch, limit=MOST_SITES, name="sites")
            if listing.problems:
                raise UnusableAnswer(f"{self._client.where} cannot list its sites: {listing.problems[0].message}")
            try:
                self._sites = [row_of(raw) for raw in listing.rows]
            except RecordError as fault:
                raise UnusableAnswer(f"{self._client.where} lists a site that cannot be read: {fault}") from None
        return self._sites

    def _school(self, row: Mapping[str, Any], endpoint: Endpoint) -> SourceSchool:
        number, name, low, high = (
            _told(row, endpoint, field, self._client.where)
            for field in ("site_id", "site_name", "start_grade_level_id", "end_grade_level_id")
        )
        if not number:
            raise ConfigurationError(
                f"{self._client.where} lists a site without {endpoint.fields['site_id']}. "
                f"Correct {endpoint.option('fields.site_id')}."
            )
        building = not _is_district(row, endpoint)
        return SourceSchool(code=number, key=number, name=name, low_grade=low, high_grade=high, building=building)


def _is_district(row: Mapping[str, Any], endpoint: Endpoint) -> bool:
    """Whether a site is the district itself, by its type or by the number seen for it."""
    kind, number = endpoint.value(row, "site_type_name"), endpoint.value(row, "site_id")
    return str(kind).strip().upper() == DISTRICT_TYPE or str(number) == DISTRICT_SITE


def _told(row: Mapping[str, Any], endpoint: Endpoint, field: str, where: str) -> str:
    """A text of a site, "" for a blank. Raises UnusableAnswer."""
    try:
        return plain(endpoint.value(row, field), field)
    except RecordError as fault:
        raise UnusableAnswer(f"{where} lists a site that cannot be read: {fault.message}") from None


def _grades_told(rows: Iterable[Raw], endpoint: Endpoint) -> str:
    """The district's grade levels, to be compared with the Grade Level mapping: id and short name."""
    told = []
    for raw in rows:
        try:
            row = row_of(raw)
            told.append(
                " is ".join(plain(endpoint.value(row, name), name) for name in ("grade_level_id", "short_name"))
            )
        except RecordError:
            continue
    return f"Compare with the Grade Level mapping: {', '.join(told)}."


def _remedy(endpoint: Endpoint) -> str:
    """Who must change what when a list cannot be read."""
    return (
        f"Ask the district whether the access key may read {endpoint.path} and what it is called there; "
        f"correct {endpoint.option('path')}."
    )
