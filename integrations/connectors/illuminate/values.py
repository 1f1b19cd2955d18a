"""Values that Illuminate writes in several types. Pure; every fault is a RecordError."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UnsetType

from ...parsing import postal_code, text, yes_no

SHORT_ZIP = re.compile(r"\d{3,4}")


def zip_code(value: Any, field: str) -> str | None | UnsetType:
    """A postal code; zeros come back that were lost by writing it as a number, as such or as text."""
    found = postal_code(value, field)
    return found.zfill(5) if isinstance(found, str) and SHORT_ZIP.fullmatch(found) else found


def hispanic(value: Any, field: str) -> str | None | UnsetType:
    """``true`` or ``false`` however it is written, another code as it is; None for a blank."""
    if isinstance(value, (int, str)):
        told = yes_no(value, field)
        if isinstance(told, bool):
            return "true" if told else "false"
        if isinstance(value, str) and value.strip().lower() in ("t", "f"):
            return "true" if value.strip().lower() == "t" else "false"
    return text(value, field)
