"""The decoded records of one page, compressed, until they are applied."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

import msgspec

from integrations.connectors.base import RawRecord
from students.records import Facts, StudentRecord


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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


def fingerprints(records: Sequence[RawRecord], *, key: bytes) -> list[int]:
    """For each record a signed 64-bit number that differs when its bytes or the rules differ; never 0."""
    start = hashlib.sha256(key)
    hashes = []
    for record in records:
        hashed = start.copy()
        hashed.update(b"\x00".join(record.parts))
        hashes.append(hashed.digest()[:8])
    return [number or 1 for number in struct.unpack(f">{len(hashes)}q", b"".join(hashes))]


def digest(numbers: Sequence[int]) -> int:
    """One signed 64-bit number for the fingerprints of a page, in order."""
    packed = struct.pack(f">{len(numbers)}q", *numbers)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "big", signed=True)
