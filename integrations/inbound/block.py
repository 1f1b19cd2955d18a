"""The decoded records of one page, compressed, until they are applied."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

import msgspec

from integrations.connectors.base import RawRecord
from students.records import Facts, StudentRecord


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source record that differs from what was last applied.

    school: the source's code; ours: our code. record: in our codes. family: the family's key, None for no
    family. clean: nothing in it raised an issue, so that its fingerprint may be kept once applied.
    """

    external_id: str
    school: str
    ours: str
    fingerprint: int
    facts: Facts
    record: StudentRecord
    family: str | None = None
    clean: bool = True


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Entry])


def pack(entries: list[Entry]) -> bytes | None:
    """The entries as bytes, None for none."""
    return zlib.compress(_encoder.encode(entries), 1) if entries else None


def unpack(block: bytes | memoryview | None) -> list[Entry]:
    """The entries of ``pack``, in their order."""
    return _decoder.decode(zlib.decompress(block)) if block else []


def fingerprint(record: RawRecord, *, key: bytes) -> int:
    """A signed 64-bit number that differs when the record's bytes or the rules differ; never 0."""
    hashed = hashlib.blake2b(b"\x00".join(record.parts), digest_size=8, key=key)
    return int.from_bytes(hashed.digest(), "big", signed=True) or 1


def digest(fingerprints: Iterable[int]) -> int:
    """One signed 64-bit number for the fingerprints of a page, in order."""
    hashed = hashlib.blake2b(digest_size=8)
    for number in fingerprints:
        hashed.update(number.to_bytes(8, "big", signed=True))
    return int.from_bytes(hashed.digest(), "big", signed=True)
