"""A OneRoster zip: its manifest, and the lines of its files by column name. Sources: the README here."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec

from ...errors import ConfigurationError, UnusableAnswer

BULK, DELTA, ABSENT = "bulk", "delta", "absent"
LARGER = 30
"""How many times larger than the zip may be its files are, at most."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "orgs": ("sourcedId", "name", "type"),
    "users": ("sourcedId", "givenName", "familyName", "identifier", "agentSourcedIds", "grades", "userIds"),
    "roles": ("sourcedId", "userSourcedId", "roleType", "role", "orgSourcedId"),
    "demographics": ("sourcedId", "birthDate", "sex"),
    "academicSessions": ("sourcedId", "title", "type", "startDate", "endDate", "schoolYear"),
}
"""The columns a file must have to be of use; others may be missing, more may stand beside them."""
OF_1_1 = ("orgSourcedIds", "role")
NOT_UTF8 = "The line holds bytes that are no UTF-8. Ask that the export be written as UTF-8."


class Line(msgspec.Struct, frozen=True):
    """One line of a file. cells: column → text, blanks trimmed. fault: why it is no use, "" for none.

    short: it has fewer cells than the header, as where a file breaks off.
    """

    number: int
    cells: dict[str, str]
    fault: str = ""
    short: bool = False


class Archive:
    """An open zip whose manifest was understood."""

    def __init__(self, file: BinaryIO, *, version: str, most: int, where: str) -> None:
        """Open it. most: bytes that its files may unpack to. Raises UnusableAnswer and ConfigurationError."""
        self._where, self.version = where, version
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError):
            raise UnusableAnswer(f"{where} sent a zip that breaks off or cannot be opened. Try again later.") from None
        if sum(one.file_size for one in self._zip.infolist()) > most:
            raise UnusableAnswer(f"{where} sent a zip of more than {most >> 20} MB. Raise the option max_body_mb.")
        self._names = self._found()
        self.manifest = self._manifest(version)

    def mode(self, name: str) -> str:
        """BULK, DELTA or ABSENT, as the manifest says. Raises UnusableAnswer for a file it names that is missing."""
        mode = self.manifest.get(f"file.{name}", ABSENT).lower()
        if mode not in (BULK, DELTA, ABSENT):
            raise UnusableAnswer(
                f"{self._where}: the manifest calls {name}.csv {mode[:20]!r}, not bulk, delta or absent."
            )
        if mode != ABSENT and name not in self._names:
            raise UnusableAnswer(
                f"{self._where}: {name}.csv is missing in the zip, though the manifest names it. Ask the district to "
                "export again."
            )
        return mode

    def needed(self, name: str) -> str:
        """As ``mode``, of a file without which nothing can be imported. Raises UnusableAnswer when it is absent."""
        mode = self.mode(name)
        if mode == ABSENT:
            raise UnusableAnswer(f"{self._where}: the zip has no {name}.csv. Ask the district to export it too.")
        return mode

    def lines(self, name: str) -> Iterator[Line]:
        """The lines of a file. Raises UnusableAnswer for a header without the columns that are needed."""
        try:
            with self._zip.open(self._names[name]) as raw:
                # Surrogates keep what is no UTF-8, so that one line is refused and not the file.
                text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
                rows = csv.reader(text)
                header = [cell.strip() for cell in next(rows, [])]
                self._check(name, header)
                for cells in rows:
                    if cells:
                        yield _line(rows.line_num, header, cells)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
            raise UnusableAnswer(f"{self._where}: {name}.csv in the zip cannot be unpacked. Try again later.") from None
        except csv.Error:
            raise UnusableAnswer(
                f"{self._where}: {name}.csv in the zip is no CSV file. Ask for a new export."
            ) from None

    def _found(self) -> dict[str, str]:
        """Name of a file without folder and ending → its path in the zip."""
        found: dict[str, str] = {}
        for path in self._zip.namelist():
            folder, _, base = path.rpartition("/")
            if not base.lower().endswith(".csv") or folder.startswith("__MACOSX"):
                continue
            name = _usual(base[: -len(".csv")])
            if name in found:
                raise UnusableAnswer(
                    f"{self._where}: the zip holds {name}.csv twice. Ask the district to export again."
                )
            found[name] = path
        return found

    def _check(self, name: str, header: Sequence[str]) -> None:
        wanted = COLUMNS.get(name, ())
        if name == "users" and self.version == "1.1":
            wanted += OF_1_1
        if missing := [column for column in wanted if column not in header]:
            told = f"{self._where}: {name}.csv lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
            raise UnusableAnswer(
                f"{told}. Its first line must be the header of OneRoster {self.version} in UTF-8; ask for a new export."
            )
        if len(set(header)) < len(header):
            raise UnusableAnswer(f"{self._where}: {name}.csv has a column twice. Ask for a new export.")

    def _manifest(self, version: str) -> dict[str, str]:
        if "manifest" not in self._names:
            raise UnusableAnswer(
                f"{self._where}: the zip has no manifest.csv, so nobody can tell whether it is whole or a delta. Ask "
                "the district for an export with a manifest."
            )
        found = {}
        for line in self.lines("manifest"):
            pair = list(line.cells.values())
            if len(pair) >= 2:
                found[pair[0]] = pair[1]
        stated = found.get("oneroster.version", version)
        if stated != version:
            raise ConfigurationError(
                f"{self._where}: the zip is OneRoster {stated}, but the OneRoster Version of the integration is "
                f"{version}. Correct the version."
            )
        return found


def _line(number: int, header: Sequence[str], cells: Sequence[str]) -> Line:
    found = {column: cell.strip() for column, cell in zip(header, cells, strict=False)}
    short = len(cells) < len(header)
    fault = "The line has fewer cells than the header." if short else ""
    if any(_broken(cell) for cell in cells):
        fault, found = NOT_UTF8, {column: "" if _broken(cell) else cell for column, cell in found.items()}
    return Line(number, found, fault, short)


def _broken(cell: str) -> bool:
    return not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell)


def _usual(name: str) -> str:
    """A file's name as the standard writes it, whatever the case of its letters."""
    return next((known for known in (*COLUMNS, "manifest") if known.lower() == name.lower()), name)
