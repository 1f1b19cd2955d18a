"""The rows of one query, kept in a file by the student they belong to, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self


class Spool:
    """Rows by student, in the order they came. A context manager: the file is gone afterwards.

    rows: how many came.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._hashes: set[int] = set()
        self._end = self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, student: str, row: bytes) -> None:
        """Keep one more row of a student."""
        self._file.seek(self._end)
        self._file.write(row)
        self._places.setdefault(student, []).append((self._end, len(row)))
        self._end, self.rows = self._end + len(row), self.rows + 1
        self._hashes.add(hash(row))

    @property
    def distinct(self) -> int:
        """How many different rows came."""
        return len(self._hashes)

    def students(self) -> Sequence[str]:
        """The students that have rows, in the order they came first."""
        return list(self._places)

    def of(self, student: str) -> tuple[bytes, ...]:
        """The rows of a student, each once; () for none."""
        return tuple(dict.fromkeys(self._at(*place) for place in self._places.get(student, ())))

    def _at(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)
