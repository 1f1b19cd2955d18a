"""Reads all that Illuminate says of one site: enrollments, contacts, students, joined by student."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Raw

from students.records import CURRENT, FUTURE, Facts

from ...errors import ConfigurationError, TenantChanged, UnusableAnswer
from ..base import Problem, RawRecord, SourceSchool
from .client import IlluminateClient, PageOfRows
from .lists import Fetch, Listing, read_list
from .parse import CONTACTS_FOLLOW
from .profile import MAY_BE_BLANK, Endpoint
from .rows import Stay, best, days_of_stays, days_of_terms, facts_of, id_reader, nearest_day, stay_of, student_id

MANY = 10
"""So many students are not all without a contact."""


class SiteReading(msgspec.Struct):
    """What one reading of a site found. lists: each list with what fetches its pages.

    rejected: students that could not be used, as (id, field, message). problems: what speaks against the
    site having been read whole. told: how many of them the caller has told already.
    """

    declared: int | None
    lists: list[tuple[Listing, Fetch]]
    records: list[RawRecord]
    rejected: list[tuple[str, str, str]]
    problems: list[Problem]
    told: int = 0


class SiteReader:
    """Reads sites of one academic year, named by the year it ends in."""

    def __init__(
        self,
        client: IlluminateClient,
        profile: Mapping[str, Endpoint],
        *,
        year: int,
        size: int,
        sessions: frozenset[str],
    ) -> None:
        self._client, self._profile, self._year, self._size, self._sessions = client, profile, year, size, sessions

    def read(self, school: SourceSchool) -> SiteReading:
        """Everything of a site on today, or on the nearest day in session.

        Raises UnusableAnswer where enrollments or contacts are not proven whole, for a lost row could make a
        student one who left, or one without a family; TenantChanged where another academic year answers;
        ConfigurationError where no row of a list holds the student's id under the name of the profile.
        """
        enrollments, fetch, stays = self.whole_enrollments(school)
        reading = SiteReading(None, [(enrollments, fetch)], [], [], [])
        day = self.day(school, stays)
        students, fetch = self._list("students", school, date=day.isoformat())
        reading.declared = students.declared
        reading.lists.append((students, fetch))
        rows = self._by_student(students, "students")
        if rows and not stays:
            raise self._no_rows("enrollment", school)
        contacts = self._contacts(school, day, reading, many=len(rows) >= MANY)
        own_stays = by_student(stays)
        reading.problems += [*students.problems, *nameless(rows, students.name)]
        reading.problems += _unlisted(own_stays, rows, day, students.name)
        reading.rejected += [("", "student_id", "A student has no id.") for _ in rows.pop("", [])]
        for student in sorted(rows, key=int):
            _take(reading, student, rows[student], own_stays.get(student, []), contacts, day=day, name=students.name)
        return reading

    def whole_enrollments(self, school: SourceSchool) -> tuple[Listing, Fetch, list[Stay]]:
        """As ``enrollments``. Raises UnusableAnswer where a row may be missing, or cannot be told apart."""
        listing, fetch, stays = self.enrollments(school)
        unknown = nameless({"": [stay for stay in stays if not stay.student]}, listing.name)
        self._check_whole(school, [*listing.problems, *unknown])
        return listing, fetch, stays

    def enrollments(self, school: SourceSchool) -> tuple[Listing, Fetch, list[Stay]]:
        """The rows of Enrollment of a site in the academic year. Raises TenantChanged for another one."""
        endpoint = self._profile["enrollment"]
        listing, fetch = self._list("enrollment", school)
        stays = [stay_of(raw, endpoint, sessions=self._sessions) for raw in listing.rows]
        if stays and not any(stay.student for stay in stays):
            raise self._no_id(endpoint)
        years = {stay.year for stay in stays if stay.year is not None}
        if years and self._year not in years:
            raise TenantChanged(
                f"{self._client.where} was asked for the academic year {self._year} and answers for {max(years)}. "
                f"Correct {endpoint.option('parameters.academic_year')}, or wait until the district opens that year."
            )
        kept = [
            stay for stay in stays
            if not stay.student or stay.fault or (stay.year in (None, self._year) and stay.site in ("", school.key))
        ]  # fmt: skip
        return listing, fetch, kept

    def day(self, school: SourceSchool, stays: Sequence[Stay]) -> dt.date:
        """Today, or the nearest day of the site's sessions: by its terms, without them by its enrollments.

        Raises UnusableAnswer where the terms are not proven whole, for one that is lost shortens the year.
        """
        today, endpoint = dt.date.today(), self._profile["terms"]
        if endpoint.path:
            listing, _ = self._list("terms", school)
            self._check_whole(school, listing.problems)
            if days := days_of_terms(listing.rows, endpoint, year=self._year, sessions=self._sessions):
                return nearest_day(today, days)
        return nearest_day(today, days_of_stays(stays))

    def _contacts(
        self, school: SourceSchool, day: dt.date, reading: SiteReading, *, many: bool
    ) -> dict[str, list[Raw]] | None:
        """Contacts by student; None where they are not read, or where there is none in the whole site.

        many: so many students that they cannot all be without. Raises UnusableAnswer when the list is not
        proven whole, or empty for many.
        """
        if not self._profile["contacts"].path:
            return None
        listing, fetch = self._list("contacts", school, date=day.isoformat())
        self._check_whole(school, listing.problems)
        reading.lists.append((listing, fetch))
        found = self._by_student(listing, "contacts")
        if many and not found:
            raise self._no_rows("contacts", school)
        reading.problems += nameless(found, listing.name)
        return found or None

    def _check_whole(self, school: SourceSchool, problems: Sequence[Problem]) -> None:
        if problems:
            raise UnusableAnswer(
                f"{self._client.where} sent a list that is not whole, so school {school.code} is not read: "
                f"{problems[0].message}"
            )

    def values(self, school: SourceSchool, **more: str) -> dict[str, str]:
        """What our parameters stand for when a list of a site is asked for."""
        return {"site_id": school.key, "academic_year": str(self._year), "limit": str(self._size), **more}

    def _list(self, name: str, school: SourceSchool, **values: str) -> tuple[Listing, Fetch]:
        endpoint, what = self._profile[name], f"{name} of school {school.code}"
        known = self.values(school, **values)

        def fetch(number: int) -> PageOfRows:
            return self._client.page(endpoint, {**known, "page": str(number)}, doing=f"read {what}")

        return read_list(fetch, limit=self._size, name=what), fetch

    def _by_student(self, listing: Listing, name: str) -> dict[str, list[Raw]]:
        """Rows by student; those of nobody under "". Raises ConfigurationError where all are nobody's."""
        reader = id_reader(self._profile[name])
        found: dict[str, list[Raw]] = defaultdict(list)
        for raw in listing.rows:
            found[student_id(raw, reader)].append(raw)
        if set(found) == {""}:
            raise self._no_id(self._profile[name])
        return found

    def _no_rows(self, name: str, school: SourceSchool) -> UnusableAnswer:
        endpoint = self._profile[name]
        blank = ", or leave it blank if the district has none" if name in MAY_BE_BLANK else ""
        return UnusableAnswer(
            f"{self._client.where} lists students at school {school.code}, but no row of them in {endpoint.path}. "
            f"If this stays so, correct {endpoint.option('path')}{blank}."
        )

    def _no_id(self, endpoint: Endpoint) -> ConfigurationError:
        return ConfigurationError(
            f"{self._client.where} sends rows of {endpoint.path} without {endpoint.fields['student_id']}. "
            f"Correct {endpoint.option('fields.student_id')}."
        )


def by_student(stays: Iterable[Stay]) -> dict[str, list[Stay]]:
    """Rows of Enrollment by student; rows of nobody are left out."""
    found: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        if stay.student:
            found[stay.student].append(stay)
    return found


def nameless(rows: Mapping[str, Sequence[object]], name: str) -> list[Problem]:
    """A problem where rows came without the student's id."""
    if not rows.get(""):
        return []
    return [Problem("unreadable_rows", f"Rows of {name} cannot be told apart: without a student id.")]


def _unlisted(stays: Mapping[str, list[Stay]], rows: Mapping[str, object], day: dt.date, name: str) -> list[Problem]:
    """A problem where Enrollment has current primary rows of students whom Students does not list."""
    chosen = {student: best(own, day) for student, own in stays.items() if student not in rows}
    count = sum(stay is not None and stay.primary and stay.status(day) == CURRENT for stay in chosen.values())
    told = f"{count} students with a current enrollment are not among the {name}."
    return [Problem("page_skipped", told)] if count else []


def _take(
    reading: SiteReading,
    student: str,
    rows: Sequence[Raw],
    stays: Sequence[Stay],
    contacts: Mapping[str, list[Raw]] | None,
    *,
    day: dt.date,
    name: str,
) -> None:
    """Add one student to the reading, as a record or as rejected."""
    if len(rows) > 1:
        reading.problems.append(Problem("page_repeated", f"A student came twice among the {name}."))
        if len({bytes(raw) for raw in rows}) > 1:
            reading.rejected.append((student, "student_id", "Two different rows came under one student id."))
            return
    fault = next((stay.fault for stay in stays if stay.fault), None)
    if fault is not None:
        reading.rejected.append((student, fault.field, fault.message))
        return
    stay = best(stays, day)
    if stay is None and not stays:
        reading.rejected.append((student, "enrollment", "The student is listed, but has no enrollment."))
        return
    facts = facts_of(stay, day) if stay else Facts(status=FUTURE)
    # What a row means changes with the day, so the meaning is part of the bytes.
    meaning = f"{facts.status} {facts.role}".encode()
    parts: tuple[bytes | Raw, ...] = (rows[0], stay.raw if stay else stays[0].raw, meaning)
    if contacts is not None:
        parts = (*parts, CONTACTS_FOLLOW, *sorted(contacts.get(student, []), key=bytes))
    reading.records.append(RawRecord(external_id=student, parts=parts, facts=facts))
