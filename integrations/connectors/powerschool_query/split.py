"""Cuts the answer to a PowerQuery, lying in a file, into its records, a window at a time. Sources: the README here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec
from msgspec import UNSET, Raw

from ...errors import RecordError, UnusableAnswer
from ...parsing import UNREADABLE, integer

WINDOW = 1 << 20
LARGEST = 8 << 20
"""Bytes of the largest single record taken."""
MOST_TRIES = 50
OPENING = re.compile(rb'"record"\s*:\s*\[')
BETWEEN = re.compile(rb"\}\s*,\s*\{")

_list = msgspec.json.Decoder(list[Raw])
_whole = msgspec.json.Decoder(dict[str, Raw])


def split(file: BinaryIO, keep: Callable[[list[Raw]], None], *, where: str, window: int = WINDOW) -> int | None:
    """Hand every record of an answer to ``keep``, a few at a time in their order; return the total it states.

    The records are undecoded objects; no more than a few windows of bytes are in memory at once. None: the
    answer states no total. Raises UnusableAnswer naming ``where`` when it breaks off or is no answer to a query;
    what was handed over by then is of no use.
    """
    file.seek(0)
    buffer = file.read(window)
    opening = _opening(buffer) if len(buffer) == window else 0
    total = _total(_read(buffer[:opening] + b"]}", where)) if opening else None
    if opening:
        buffer = _middle(file, buffer[opening:], keep, where, window)
        buffer = b'{"record":[' + buffer
    elif more := file.read(LARGEST + 1):
        # The records stand behind something large: taken whole while that is small enough.
        buffer += more
        if len(more) > LARGEST:
            raise _unusable(where)
    found = _read(buffer, where)
    _keep(_rest(found, where), keep, where)
    stated = _total(found)
    return total if stated is None else stated


def _opening(buffer: bytes) -> int:
    """Where the first record begins, 0 when the answer does not begin with a list of records."""
    for found in OPENING.finditer(buffer):
        try:
            if "record" in _whole.decode(buffer[: found.end()] + b"]}"):
                return found.end()
        except UNREADABLE:
            continue
    return 0


def _middle(file: BinaryIO, buffer: bytes, keep: Callable[[list[Raw]], None], where: str, window: int) -> bytes:
    """Hand over all records but the last of them; what is left is the last ones and the end of the answer."""
    while piece := file.read(window):
        buffer += piece
        records, after = _before_a_boundary(buffer)
        if after:
            _keep(records, keep, where)
            buffer = buffer[after:]
        elif len(buffer) > LARGEST:
            raise _unusable(where)
    return buffer


def _before_a_boundary(buffer: bytes) -> tuple[list[Raw], int]:
    """The records up to the last boundary between two that is found, and where the next one begins; 0 for none.

    A boundary may also be text within a record: then what stands before it is no JSON.
    """
    end = len(buffer)
    for _ in range(MOST_TRIES):
        end = buffer.rfind(b"}", 0, end)
        if end < 0:
            break
        if found := BETWEEN.match(buffer, end):
            try:
                return _list.decode(b"[" + buffer[: end + 1] + b"]"), found.end() - 1
            except UNREADABLE:
                continue
    return [], 0


def _keep(records: list[Raw], keep: Callable[[list[Raw]], None], where: str) -> None:
    if any(bytes(memoryview(record)[:1]) != b"{" for record in records):
        raise _unusable(where)
    keep(records)


def _rest(found: dict[str, Raw], where: str) -> list[Raw]:
    """The records of a whole answer: without any, the list is not there, but the extensions are."""
    if "record" not in found and "@extensions" in found:
        return []
    record = found.get("record", Raw(b""))
    if bytes(memoryview(record)[:1]) == b"{":
        return [record]
    try:
        return _list.decode(record)
    except UNREADABLE:
        raise _unusable(where) from None


def _total(found: dict[str, Raw]) -> int | None:
    count: Any = found.get("count", UNSET)
    try:
        return None if count is UNSET else integer(msgspec.json.decode(count), "count")
    except (RecordError, *UNREADABLE):
        return None


def _read(buffer: bytes, where: str) -> dict[str, Raw]:
    try:
        return _whole.decode(buffer)
    except UNREADABLE:
        raise _unusable(where) from None


def _unusable(where: str) -> UnusableAnswer:
    return UnusableAnswer(f"{where} sent an answer that breaks off or is no answer to a query. Try again later.")
