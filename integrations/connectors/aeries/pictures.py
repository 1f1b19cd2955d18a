"""Pictures of students: read in small windows, decoded, compared with the size Aeries states.

Source: Aeries API documentation, "Student Pictures": an id or a window is strongly advised, the newest
picture only, base64. The largest picture worth taking is ours.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from ...errors import AnswerTooLarge, RecordError, UnusableAnswer
from ...parsing import UNREADABLE, integer
from ..base import Picture, PicturePage

WINDOW = 20
LARGEST = 5 << 20
MOST_WINDOWS = 100_000


class _File(msgspec.Struct, gc=False):
    RawBinary: Any = ""
    FileSize: Any = None
    SchoolYear: Any = None


class _Entry(msgspec.Struct, gc=False):
    StudentID: Any = UNSET
    Pictures: list[_File] | None = None


_entry = msgspec.json.Decoder(_Entry)

Fetch = Callable[[int, int], list[Raw]]


def read_windows(fetch: Fetch, *, first: int, where: str) -> Iterator[PicturePage]:
    """Pages of a school's pictures, from window ``first`` on. where: the system, for messages.

    fetch: the entries from one position to another, both included, from 1.
    """
    for number in range(first, MOST_WINDOWS):
        entries = _entries(fetch, (number - 1) * WINDOW + 1, number * WINDOW)
        if not entries:
            return
        yield _page(number, entries, where)
    raise UnusableAnswer(f"{where} sends pictures without end. Try again later.")


def _entries(fetch: Fetch, first: int, last: int) -> list[Raw | Picture]:
    """The entries of a window; asked for in halves where they are too large to come at once."""
    try:
        return list(fetch(first, last))
    except AnswerTooLarge as error:
        if first == last:
            return [Picture(external_id="", fault=f"The picture at position {first} is too large: {error.message}")]
    middle = (first + last) // 2
    return _entries(fetch, first, middle) + _entries(fetch, middle + 1, last)


def _page(number: int, entries: list[Raw | Picture], where: str) -> PicturePage:
    pictures: list[Picture] = []
    without: list[str] = []
    for raw in entries:
        if isinstance(raw, Picture):
            pictures.append(raw)
            continue
        try:
            entry = _entry.decode(raw)
            student = integer(entry.StudentID, "StudentID")
        except (*UNREADABLE, RecordError):
            raise UnusableAnswer(
                f"{where} sent a picture that cannot be told to be anybody's. Try again later."
            ) from None
        if student is None:
            raise UnusableAnswer(f"{where} sent a picture without a StudentID. Try again later.")
        if entry.Pictures:
            pictures.append(_picture(str(student), max(entry.Pictures, key=_year)))
        else:
            without.append(str(student))
    return PicturePage(number=number, pictures=pictures, without=without)


def _year(file: _File) -> int:
    """The school year stated, 0 where none that can be one is."""
    try:
        year = integer(file.SchoolYear, "SchoolYear") or 0
    except RecordError:
        return 0
    return year if 1900 <= year <= 2100 else 0


def _picture(student: str, file: _File) -> Picture:
    """The decoded file, or what is wrong with it."""
    year = _year(file) or None
    if not isinstance(file.RawBinary, str):
        return Picture(external_id=student, year=year, fault="The picture came without its file.")
    if len(file.RawBinary) > LARGEST * 4 / 3 + 4:
        megabytes = len(file.RawBinary) * 3 / 4 / (1 << 20)
        fault = f"The picture has {megabytes:.0f} MB; at most {LARGEST >> 20} MB are taken."
        return Picture(external_id=student, year=year, fault=fault)
    try:
        data = base64.b64decode(file.RawBinary, validate=True)
    except (binascii.Error, ValueError):
        return Picture(external_id=student, year=year, fault="The picture came garbled: it is no base64.")
    try:
        stated = integer(file.FileSize, "FileSize")
    except RecordError:
        return Picture(external_id=student, year=year, fault="The picture came with a size that is no number.")
    if stated is not None and stated != len(data):
        fault = f"The picture came cut: {len(data)} bytes of the {stated} stated."
        return Picture(external_id=student, year=year, fault=fault)
    return Picture(external_id=student, data=data, year=year)
