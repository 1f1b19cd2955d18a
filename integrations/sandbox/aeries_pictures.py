"""Pictures as the Aeries API sends them: `StudentPictures`, with the file in base64.

Source: Aeries API documentation, "Student Pictures", and payloads in public client code: the newest picture
only, `FileSize` the bytes of the file, `FileExtension` whatever was typed when it was uploaded. That a student
without a picture comes with an empty list is inferred.
"""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

from PIL import Image

ODD = ("huge", "wrong_length", "gif", "html", "no_base64", "none", "bomb", "null", "size_text")
"""Kinds of pictures that are none, by the name the `odd_pictures` switch has for them."""


def entry(
    student: int, school: int, *, year: int, id_name: str, odd: str = "", retaken: bool = False, padding: int = 0
) -> dict[str, Any]:
    """One element of the answer. odd: one of ODD; retaken: another picture than the first one; padding: bytes more."""
    data = _file(student, odd=odd, retaken=retaken) + bytes(padding)
    text = "@@ not base64 @@" if odd == "no_base64" else base64.b64encode(data).decode()
    size = len(data) + (7 if odd == "wrong_length" else 0)
    picture: dict[str, Any] = {"SchoolYear": year, "RawBinary": text, "FileExtension": "jpg", "FileSize": size}
    if odd == "null":
        picture["RawBinary"] = None
    if odd == "size_text":
        picture |= {"SchoolYear": str(year), "FileSize": str(size + 7)}
    return {id_name: student, "Pictures": [] if odd == "none" else [picture], "SchoolCode": school}


def picture(student: int, *, retaken: bool = False, kind: str = "JPEG") -> bytes:
    """A small picture file that differs from child to child."""
    digest = hashlib.sha256(f"{student} {retaken}".encode()).digest()
    image = Image.new("RGB", (48, 64), (digest[0], digest[1], digest[2]))
    image.paste((digest[3], digest[4], digest[5]), (12, 10, 36, 34))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def _file(student: int, *, odd: str, retaken: bool) -> bytes:
    if odd == "huge":
        return picture(student) + bytes(20 << 20)
    if odd == "gif":
        return picture(student, kind="GIF")
    if odd == "html":
        return b"<!DOCTYPE html><html><body>Please sign in</body></html>"
    if odd == "bomb":
        file = io.BytesIO()
        Image.new("1", (20_000, 20_000)).save(file, "PNG")
        return file.getvalue()
    return picture(student, retaken=retaken)
