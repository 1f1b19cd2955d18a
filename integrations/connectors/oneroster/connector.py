"""Reads a OneRoster provider: its service where the Service URL is one, else its zip of CSV files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, cast

from students.records import STUDENT_FIELDS, StudentRecord

from ...errors import ConfigurationError, IntegrationError
from ..base import Check, Connection, Problem, RawRecord, Sighting, SourceCode, SourcePage, SourceSchool, Tenant
from ..options import Option, checked_options, limits
from .client import OneRosterClient
from .codes import code_list
from .file import FileSource
from .parse import METADATA, student_record
from .service import EACH, LIST, NONE, ServiceSource
from .store import Store

HOW = {LIST: "All at once", EACH: "One by one", NONE: "Not at all"}
OPTIONS: Mapping[str, Option] = {
    "version": Option(
        meaning="The version of OneRoster that the Service URL speaks.",
        label="OneRoster Version", kind="choice", default="1.2", choices=("1.1", "1.2"),
    ),
    "token_url": Option(
        meaning="Where OAuth 2 tokens are given. Leave it empty for OneRoster 1.1 with OAuth 1.0a.",
        label="Token URL", kind="url", default="",
    ),
    "signature": Option(
        meaning="How requests are signed with OAuth 1.0a.",
        kind="choice", default="HMAC-SHA256", choices=("HMAC-SHA256", "HMAC-SHA1"),
    ),
    "scope": Option(
        meaning="Scopes to ask for with OAuth 2, separated by blanks. Empty: roster and demographics of the version.",
        kind="text", default="",
    ),
    "page_size": Option(meaning="Rows asked for in one request.", default=500, least=1, most=10_000),
    "demographics": Option(
        meaning="How demographics are read: all of the district at once, one request for each student, or not at all.",
        kind="choice", default=LIST, choices=(LIST, EACH, NONE), names=HOW,
    ),
    "contacts": Option(
        meaning="How parents and guardians are read: all users of the district at once, one request for each "
        "contact, or not at all.",
        kind="choice", default=LIST, choices=(LIST, EACH, NONE), names=HOW,
    ),
    "metadata": Option(
        meaning="Fields the standard has no place for, as field=name in metadata, such as residence_city=city.",
        kind="codes", default=[f"{field}={name}" for field, name in METADATA.items()],
    ),
}  # fmt: skip


class OneRosterConnector:
    """One OneRoster provider, read only."""

    system: ClassVar[str] = "oneroster"
    parse_version: ClassVar[int] = 1
    refuses_other_years: ClassVar[bool] = False

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._options = self.check_options(connection.options)
        self._metadata = _names(self._options["metadata"])
        self._client = OneRosterClient(connection, self._options, limits(self._options), sleep=sleep)
        self._store = Store()
        self._found: ServiceSource | FileSource | None = None

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigurationError naming an unknown or unfit one."""
        found = checked_options(options, OPTIONS, system="OneRoster")
        _names(found["metadata"])
        return found

    @property
    def can_be_asked(self) -> bool:
        """Whether ``find`` can look a student up by id across the whole district: a service can, a file cannot."""
        return self._source().can_be_asked

    def close(self) -> None:
        """Release the connection and the temporary file."""
        self._client.close()
        self._store.close()

    def tenant(self) -> Tenant:
        """The district that answers, with what of it cannot be read."""
        return self._source().tenant()

    def check(self) -> list[Check]:
        """Address, key and secret, then what has to be read, in this order up to what fails."""
        lines: list[Check] = []
        for name, step, remedy in self._steps():
            try:
                lines.append(Check(name, True, step()))
            except IntegrationError as error:
                lines.append(Check(name, False, error.message, remedy))
                if name != "Demographics":
                    break
        return lines

    def schools(self) -> list[SourceSchool]:
        """Every org by its sourcedId; buildings are those of type school."""
        return self._source().schools()

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The school's students with demographics and contacts joined, in order of sourcedId.

        Where the pages before ``first`` cannot hold ``rows_before`` rows any more, the first page given has the
        problem ``resume_differs``. A school without students gives one empty page.
        """
        return self._source().pages(school, first=first, rows_before=rows_before)

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """What speaks against the school having been read whole; of a delta, that it names only changes."""
        return self._source().confirm(school)

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One joined record in canonical shape, codes still the system's. Raises RecordError."""
        read = self._options["contacts"] != NONE
        return student_record(record, school.code, metadata=self._metadata, contacts_read=read)

    def codes(self, entity: str) -> list[SourceCode] | None:
        """The words OneRoster fixes for an entity; nobody is asked. None where it leaves them to the system."""
        return code_list(entity)

    def find(self, external_id: str) -> list[Sighting]:
        """Every school at which the system has the student."""
        return self._source().find(external_id)

    def _source(self) -> ServiceSource | FileSource:
        """The file where the Service URL answers with a zip, else the service."""
        if self._found is None:
            self._found = self._file() or ServiceSource(
                self._client, self._store, self._options, year=self.connection.year
            )
        return self._found

    def _file(self) -> FileSource | None:
        if not self._client.root:
            return None
        with tempfile.TemporaryFile() as into:
            file = cast(BinaryIO, into)
            if not self._client.file(file):
                return None
            return FileSource(file, self._store, self._options, where=self._client.where, connection=self.connection)

    def _steps(self) -> Iterator[tuple[str, Callable[[], str], str]]:
        """The lines of the check: name, what to try, and who must change what when it fails."""
        yield "Service URL", self._probe_address, "Correct the Service URL, and the OneRoster Version with it."
        yield "Key and Secret", self._probe_key, "Copy Key and Secret again, and compare the Token URL."
        yield from self._source().check(self.connection.buildings)

    def _probe_address(self) -> str:
        if self._client.root:
            self._client.sign_in()
            if isinstance(self._source(), FileSource):
                return "A zip of CSV files answers."
        self._client.reachable()
        return f"OneRoster {self._client.version} answers."

    def _probe_key(self) -> str:
        self._client.sign_in()
        self._source().schools()
        return "The system accepts them."


def _names(entries: list[str]) -> dict[str, str]:
    """Our field → name in metadata, of entries such as ``residence_city=city``. Raises ConfigurationError."""
    found = {}
    for entry in entries:
        field, _, name = (part.strip() for part in entry.partition("="))
        if field not in STUDENT_FIELDS or not name:
            raise ConfigurationError(
                f"The option metadata of OneRoster cannot use {entry!r}: write field=name with a field such as "
                "residence_city, home_language or mailing_line1."
            )
        found[field] = name
    return found
