"""Reads a whole list in windows of record positions, from a server that tells neither total nor order.

Each window begins with the last record of the one before, so that a list that moves while it is read
shows; the end is believed only of an empty window.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from ..base import Problem
from .rows import Row

MOST_WINDOWS = 10_000

Fetch = Callable[[int, int], list[Raw]]


class Reading(msgspec.Struct, gc=False):
    """A list as it was read. count: records received, every one once. last: the last window with any,
    as (first position, last position, keys)."""

    rows: list[Row]
    problems: list[Problem]
    conflicting: set[str]
    last: tuple[int, int, list[object]] | None = None

    @property
    def count(self) -> int:
        return len(self.rows)


def read_all(fetch: Fetch, row_of: Callable[[Raw], Row], *, size: int, name: str) -> Reading:
    """Every record of a list, with what speaks against its being whole.

    fetch: the records from one position to another, both included, from 1. name: of the list, for
    messages. Two different records under one key leave the student in ``conflicting``.
    """
    reading = Reading([], [], set())
    seen: dict[object, Row] = {}
    ended = False
    for window in range(MOST_WINDOWS):
        first, last = max(1, window * size), (window + 1) * size
        rows = [row_of(raw) for raw in fetch(first, last)]
        if not rows:
            if window and not ended:
                _note(reading, "page_skipped", f"{name} grew shorter while it was read.")
            return reading
        reading.last = (first, last, [row.key for row in rows])
        if ended:
            _note(reading, "page_truncated", f"A page of {name} held fewer students than there are.")
        elif window:
            rows = _joined(reading, seen, rows, name)
        new = _take(reading, seen, rows, name)
        if new > size:
            _note(reading, "page_size_ignored", f"{name} came in larger pages than asked for.")
        if rows and not new:
            return reading
        ended = new < size
    _note(reading, "page_repeated", f"{name} has no end.")
    return reading


def confirm(reading: Reading, fetch: Fetch, row_of: Callable[[Raw], Row], *, size: int, name: str) -> None:
    """Read the last window again and look behind the last record; note what differs in the reading."""
    if reading.last is None:
        if fetch(1, size):
            _note(reading, "count_disagrees", f"{name} was empty and no longer is.")
        return
    first, last, keys = reading.last
    if [row_of(raw).key for raw in fetch(first, last)] != keys:
        _note(reading, "count_disagrees", f"{name} changed while it was read.")
    if fetch(reading.count + 1, reading.count + size):
        _note(reading, "page_truncated", f"{name} holds more students than were sent.")


def _joined(reading: Reading, seen: dict[object, Row], rows: list[Row], name: str) -> list[Row]:
    """The rows after the one that repeats the end of the window before; a note where it does not."""
    if rows[0].key == reading.rows[-1].key:
        return rows[1:]
    if rows[0].key in seen:
        _note(reading, "page_repeated", f"A page of {name} came twice.")
    else:
        _note(reading, "page_skipped", f"Students of {name} were passed over between two pages.")
    return rows


def _take(reading: Reading, seen: dict[object, Row], rows: list[Row], name: str) -> int:
    """Keep the rows not seen before; returns how many."""
    before = reading.count
    for row in rows:
        known = seen.setdefault(row.key, row)
        if known is row:
            reading.rows.append(row)
            continue
        _note(reading, "page_repeated", f"A student of {name} came twice.")
        if bytes(known.raw) != bytes(row.raw):
            reading.conflicting.add(row.student)
    return reading.count - before


def _note(reading: Reading, code: str, message: str) -> None:
    if all(problem.code != code for problem in reading.problems):
        reading.problems.append(Problem(code, message))
