"""Reads the values of other systems' JSON, however they are written. Pure; every fault is a RecordError."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from .errors import RecordError, UnusableAnswer

LONGEST = 255
FIRST_YEAR = 1901
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?=T|$)")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding bytes that are no JSON may raise."""

LATER = "Try again later."

_rows = msgspec.json.Decoder(list[Raw])


def split_rows(body: bytes, *, where: str) -> list[Raw]:
    """The elements of a JSON list, undecoded. Raises UnusableAnswer naming ``where`` for anything else."""
    try:
        return _rows.decode(body)
    except msgspec.ValidationError:
        raise UnusableAnswer(f"{where} sent something else than the list asked for. Try again later.") from None
    except UNREADABLE:
        raise UnusableAnswer(f"{where} sent an answer that breaks off or is no JSON. Try again later.") from None


def read(body: bytes | Raw, kind: Any = dict, *, where: str) -> Any:
    """A JSON answer as the type ``kind``. Raises UnusableAnswer naming ``where``."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise UnusableAnswer(f"{where} sent something else than was asked for. Check the Url.") from None
    except UNREADABLE:
        raise UnusableAnswer(f"{where} sent an answer that breaks off or is no JSON. Try again later.") from None


def one_or_many(raw: Raw | UnsetType | None) -> list[Raw]:
    """The elements of a list that is written as the bare object when it has one, and left out when empty.

    Raises UnusableAnswer when it is neither a list nor an object.
    """
    if raw is UNSET or raw is None:
        return []
    first = bytes(memoryview(raw)[:1])
    if first == b"{":
        return [raw]
    if first == b"[":
        return split_rows(bytes(raw), where="The system")
    if bytes(raw) in (b"null", b'""'):
        return []
    raise UnusableAnswer("The system sent something else than the list asked for. Try again later.")


def as_list(value: Any) -> list[Any]:
    """The decoded elements of such a list: [] for nothing, one element for a bare object."""
    if value in (None, "", UNSET):
        return []
    return value if isinstance(value, list) else [value]


def as_dict(value: Any) -> dict[str, Any]:
    """An object, {} for anything else; an object that is empty is written as "" by some systems."""
    return value if isinstance(value, dict) else {}


def text(value: Any, field: str, *, longest: int = LONGEST) -> str | None | UnsetType:
    """A text or number as trimmed text; None for a blank; UNSET stays. Numbers have no ".0".

    Raises RecordError bad_type for anything else, bad_text for control characters, too_long.
    """
    if type(value) is str:
        found = value.strip()
        if len(found) <= longest and found.isprintable():
            return found or None
    if value is UNSET or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise RecordError("bad_type", field, f"{field} is not a text.")
    found = str(value).strip()
    if CONTROL.search(found):
        raise RecordError("bad_text", field, f"{field} holds control characters.")
    if len(found) > longest:
        raise RecordError("too_long", field, f"{field} is longer than {longest} characters.")
    return found or None


def plain(value: Any, field: str) -> str:
    """As ``text``, "" for a blank or a missing value."""
    return text(value, field) or ""


def required(value: Any, field: str) -> str:
    """As ``text``; raises RecordError missing_required for a blank or a missing value."""
    found = plain(value, field)
    if not found:
        raise RecordError("missing_required", field, f"{field} is missing.")
    return found


def date(value: Any, field: str) -> dt.date | None | UnsetType:
    """A date from ``2015-03-07`` or ``2015-03-07T00:00:00``; None for a blank or a year before 1901.

    Raises RecordError bad_date for any other way to write it and for a day that does not exist.
    """
    found = text(value, field)
    if not isinstance(found, str):
        return found
    if (day := _usual_date(found)) is not None:
        return day
    matched = ISO_DATE.match(found)
    if found[:4] in ("0000", "0001"):
        return None
    try:
        day = dt.date.fromisoformat(matched[0]) if matched else None
    except ValueError:
        day = None
    if day is None:
        raise RecordError("bad_date", field, f"{field} is no date: {found[:30]}.")
    return day if day.year >= FIRST_YEAR else None


@lru_cache(maxsize=50_000)
def _usual_date(found: str) -> dt.date | None:
    """The date of a text in the usual form, midnight or no time; the same days come again and again."""
    try:
        day = dt.date.fromisoformat(found.removesuffix("T00:00:00")) if found[4:5] == "-" else None
    except ValueError:
        return None
    return day if day and day.year >= FIRST_YEAR and found[7] == "-" else None


def date_or_none(value: Any) -> dt.date | None:
    """As ``date``, None where that would fail or find nothing: for deciding, not for storing."""
    try:
        found = date(value, "")
    except RecordError:
        return None
    return found if isinstance(found, dt.date) else None


def integer(value: Any, field: str) -> int | None:
    """A whole number, also written as text or with ".0"; None for a blank or a missing value.

    Raises RecordError bad_type.
    """
    if type(value) is int:
        return value
    found = plain(value, field)
    if re.fullmatch(r"-?\d{1,18}", found):
        return int(found)
    if found:
        raise RecordError("bad_type", field, f"{field} is no whole number.")
    return None


def yes_no(value: Any, field: str) -> bool | UnsetType:
    """True or False from JSON's own, Y/N, YES/NO, 1/0, TRUE/FALSE in any case; UNSET for anything else."""
    if isinstance(value, bool):
        return value
    found = plain(value, field).upper()
    if found in ("Y", "YES", "1", "TRUE"):
        return True
    return False if found in ("N", "NO", "0", "FALSE") else UNSET


def phone(value: Any, field: str) -> str | None | UnsetType:
    """Ten digits of a North American number, a leading 1 dropped; any other number trimmed as sent."""
    found = text(value, field)
    if not isinstance(found, str):
        return found
    if len(found) == 10 and found.isascii() and found.isdigit():
        return found
    if re.search(r"[^\d\s().+\-/]", found):
        return found
    digits = re.sub(r"\D", "", found)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    return digits if len(digits) == 10 else found


def postal_code(value: Any, field: str, extension: Any = None) -> str | None | UnsetType:
    """A postal code; zeros lost by sending it as a number come back; ``93601-2204`` with an extension."""
    found = text(value, field)
    if not isinstance(found, str):
        return found
    if isinstance(value, (int, float)):
        found = found.zfill(9 if len(found) > 5 else 5)
    if re.fullmatch(r"\d{9}", found):
        found = f"{found[:5]}-{found[5:]}"
    more = plain(extension, field)
    if isinstance(extension, (int, float)) and extension:
        more = more.zfill(4)
    return f"{found}-{more}" if more.strip("0") and "-" not in found else found
