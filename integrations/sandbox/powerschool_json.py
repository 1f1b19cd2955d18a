"""How PowerSchool writes its v1 resources as JSON: the one serializer every v1 answer goes through.

The v1 resources are made as XML and turned into JSON, which shows (all observed in recorded answers of
tulsaschoolsdata/ps_utilities and of the StrongMind adapter):
- a blank leaf is not there at all;
- an expansion that was asked for and holds nothing is `""`;
- a list of one item is the bare item, an empty list is not there;
- text that looks like a whole number is a number. That leading zeros are lost by it is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

_NUMBER = re.compile(r"-?\d{1,18}")


class Literal(str):
    """Text that is written as it is: never a number, and written even when blank."""

    __slots__ = ()


def settle(value: Any, *, keep_zeros: bool = False) -> Any:
    """Return `value` as PowerSchool would write it; None means that its key is absent.

    Takes dicts, lists, text, numbers, booleans and None. With `keep_zeros` numeric text with leading zeros
    stays text.
    """
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, str):
        return _text(value, keep_zeros)
    if isinstance(value, dict):
        pairs = ((key, settle(item, keep_zeros=keep_zeros)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not None} or None
    if isinstance(value, list):
        items = [item for item in (settle(one, keep_zeros=keep_zeros) for one in value) if item is not None]
        return collapse(items)
    return value


def collapse(items: list[Any]) -> Any:
    """A list as PowerSchool writes it: None (absent) when empty, the bare item when there is one."""
    return (items[0] if len(items) == 1 else items) if items else None


def member(name: str, value: Any, *, keep_zeros: bool = False, blank: bool = False) -> bytes:
    """One member of an object, `"name":value`; without a value nothing, or `"name":""` with `blank`."""
    found = settle(value, keep_zeros=keep_zeros)
    if found is None:
        if not blank:
            return b""
        found = ""
    return msgspec.json.encode(name) + b":" + msgspec.json.encode(found)


def members(tree: dict[str, Any], *, blank: Collection[str] = (), keep_zeros: bool = False) -> bytes:
    """The members of an object without its braces; those named in `blank` are `""` when empty."""
    parts = (member(name, value, keep_zeros=keep_zeros, blank=name in blank) for name, value in tree.items())
    return b",".join(part for part in parts if part)


def listing(plural: str, singular: str, rows: list[bytes], head: bytes = b"") -> bytes:
    """The envelope of a list, `{"students":{head,"student":...}}`; without rows it holds no item key.

    `head` holds the members that go before the rows, without a trailing comma.
    """
    parts = [head] if head else []
    if rows:
        items = rows[0] if len(rows) == 1 else b"[" + b",".join(rows) + b"]"
        parts.append(b'"%b":%b' % (singular.encode(), items))
    return b'{"%b":{%b}}' % (plural.encode(), b",".join(parts))


def _text(value: str, keep_zeros: bool) -> str | int | None:
    if not value:
        return None
    if not value.isascii() or not _NUMBER.fullmatch(value):
        return value
    if keep_zeros and value.lstrip("-").startswith("0") and value != "0":
        return value
    return int(value)
