"""One reading of the whole feed: every student once, kept in a temporary file, listed by building.

A roster feed is of the whole district, and what speaks against it being whole concerns every school.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec
from msgspec import Raw

from ...parsing import LATER
from ..base import Problem, RawRecord
from .client import MOST_PAGES, Envelope, SchoolToolClient
from .rows import Row, Stay, student_row


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be used, for every building it names; student "" where it has no id."""

    student: str
    field: str
    message: str
    buildings: tuple[str, ...] = ()


class _Place(msgspec.Struct, gc=False):
    """Where a student's bytes are in the temporary file, and its enrollments."""

    offset: int
    length: int
    stays: tuple[Stay, ...]
    buildings: tuple[str, ...]


class Feed:
    """What one reading gave. problems: why it is not proven whole. size, total, last: of the pages it came in."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.size, self.total, self.last = 0, 0, b""
        self._students: dict[str, _Place] = {}
        self._rejected: dict[str, Rejected] = {}
        self._lost: list[Rejected] = []
        self._bytes: BinaryIO = TemporaryFile()  # noqa: SIM115 - closed with the feed
        self._end, self._first = 0, ""
        self._by_building: dict[str, list[str]] | None = None

    def close(self) -> None:
        """Forget the bytes."""
        self._bytes.close()

    def __len__(self) -> int:
        return len(self._students) + len(self._rejected) + len(self._lost)

    def __contains__(self, student: str) -> bool:
        return student in self._students or student in self._rejected

    def add(self, raw: Raw | bytes, row: Row) -> bool:
        """Take one student's record; whether the student came for the first time.

        Two different records of one student reject both. A record without an id makes the feed unreadable.
        """
        if not row.student:
            assert row.fault is not None
            self._lose(row)
            return True
        if row.student in self:
            self._repeated(raw, row)
            return False
        if row.fault is not None:
            self.reject(Rejected(row.student, row.fault.field, row.fault.message, row.buildings))
            if not row.buildings:
                self.note("unreadable_rows", "The feed holds students whose buildings cannot be read.")
            return True
        self._bytes.seek(self._end)
        length = self._bytes.write(raw)
        self._students[row.student] = _Place(self._end, length, row.stays, row.buildings)
        self._end += length
        return True

    def reject(self, one: Rejected) -> None:
        """Leave a student out, with the reason; it counts as seen in its buildings."""
        self._students.pop(one.student, None)
        self._rejected.setdefault(one.student, one)

    def note(self, code: str, message: str) -> None:
        """A reason why the feed is not proven whole, told once."""
        if all(problem.code != code for problem in self.problems):
            self.problems.append(Problem(code, message))

    def students(self, building: str) -> list[str]:
        """The ids of those enrolled in a building, in order."""
        if self._by_building is None:
            found: dict[str, list[str]] = defaultdict(list)
            for student in sorted(self._students):
                for stay in self._students[student].stays:
                    found[stay.building].append(student)
            self._by_building = found
        return self._by_building.get(building, [])

    def rejected(self, building: str) -> list[tuple[str, str, str]]:
        """What cannot be used of a building; what names no building is told with the first one asked for."""
        self._first = self._first or building
        every = [*self._rejected.values(), *self._lost]
        found = [one for one in every if building in one.buildings or (not one.buildings and building == self._first)]
        return [(one.student, one.field, one.message) for one in found]

    def record(self, student: str, building: str) -> RawRecord:
        """A student as enrolled in a building; the bytes tell whatever decides about the enrollment too."""
        place = self._students[student]
        stay = next(one for one in place.stays if one.building == building)
        self._bytes.seek(place.offset)
        mark = f"{stay.facts.status} {stay.facts.role}".encode()
        parts = (self._bytes.read(place.length), stay.raw, mark)
        return RawRecord(external_id=student, parts=parts, facts=stay.facts)

    def stays(self, student: str) -> tuple[Stay, ...]:
        """The enrollments of one student, () for one the feed does not hold."""
        place = self._students.get(student)
        return place.stays if place else ()

    def _lose(self, row: Row) -> None:
        assert row.fault is not None
        self._lost.append(Rejected("", row.fault.field, row.fault.message))
        self.note("unreadable_rows", "The feed holds students that cannot be told apart: without a studentId.")

    def _repeated(self, raw: Raw | bytes, row: Row) -> None:
        self.note("page_repeated", "Students of the feed came twice.")
        known = self._students.get(row.student)
        if known is None:
            return
        self._bytes.seek(known.offset)
        if self._bytes.read(known.length) != bytes(raw):
            told = "Two different records came under one studentId."
            buildings = tuple(dict.fromkeys((*known.buildings, *row.buildings)))
            self.reject(Rejected(row.student, "studentId", told, buildings))


def read_lists(client: SchoolToolClient, *, size: int, today: dt.date) -> Feed:
    """The feed from its pages of students, with all that speaks against having read it whole."""
    feed = Feed()
    try:
        for number in range(1, MOST_PAGES):
            page = client.page("students", number, size)
            if not _take(feed, page, number, size, today=today):
                break
    except BaseException:
        feed.close()
        raise
    if len(feed) != feed.total:
        told = f"The feed states {feed.total} students and sent {len(feed)}."
        feed.note("page_skipped" if len(feed) < feed.total else "count_disagrees", told)
    return feed


def look_again(client: SchoolToolClient, feed: Feed, *, size: int) -> Problem | None:
    """Whether the end of the list is still what it was when the feed was read."""
    number = max(1, -(-feed.total // feed.size)) if feed.size else 1
    page = client.page("students", number, size)
    if page.totalRecords != feed.total or b"".join(map(bytes, page.records)) != feed.last:
        return Problem("count_disagrees", f"The feed changed while it was read. {LATER}")
    return None


def _take(feed: Feed, page: Envelope, number: int, size: int, *, today: dt.date) -> bool:
    """Add one page to the feed; whether there is another."""
    if number == 1:
        feed.size, feed.total = page.pageSize, page.totalRecords
    before = len(feed)
    news = [feed.add(raw, student_row(raw, today=today)) for raw in page.records]
    feed.last = b"".join(map(bytes, page.records))
    if (page.pageSize, page.totalRecords) != (feed.size, feed.total) or page.page != number:
        feed.note("count_disagrees", "The feed changed its page size or its count while it was read.")
    if not 1 <= feed.size <= size or len(page.records) > feed.size:
        feed.note("page_size_ignored", "The feed came in larger pages than asked for.")
    expected = min(feed.size, feed.total - (number - 1) * feed.size)
    if len(page.records) < expected:
        feed.note("page_truncated", f"Page {number} of the feed holds {len(page.records)} students, not {expected}.")
    return any(news) and len(feed) > before and number * feed.size < feed.total
