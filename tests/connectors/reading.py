"""How the tests of connectors open one against a sandbox server and read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from integrations.connectors.base import Connection, Connector, Problem, RawRecord, SourcePage, SourceSchool
from integrations.connectors.registry import connector_class
from integrations.sandbox.server import Sandbox

LOOPBACK = frozenset({"127.0.0.1"})
STUDENTS = r"/schools?/\d+/students?$|/Api/Students/$|/query/[\w.]+\.students\.\w+$|/roster/students$"
"""The paths of the lists of students: of a school, or of the district where the system has one list only."""
ONE_LIST = frozenset({"schooltool"})
"""The systems that list the whole district at once, so that no request is about one school."""
WRONG = "Wr0ngS3cretWr0ngS3cretWr0ngS3cr3"
ONE_ANSWER = frozenset({"powerschool_query"})
"""The systems that give all students of a school in one answer, so that no page can be skipped or come again."""


class Reading(msgspec.Struct):
    """What one reading of one school gave."""

    pages: list[SourcePage]
    problems: list[Problem]

    @property
    def records(self) -> list[RawRecord]:
        return [record for page in self.pages for record in page.records]

    @property
    def ids(self) -> list[str]:
        return [record.external_id for record in self.records]

    @property
    def codes(self) -> set[str]:
        return {problem.code for problem in self.problems}

    @property
    def rejected(self) -> list[tuple[str, str, str]]:
        return [one for page in self.pages for one in page.rejected]


def connection(sis: Sandbox, **values: Any) -> Connection:
    """A connection to a sandbox server; contacts are read."""
    settings: dict[str, Any] = {
        "url": sis.url,
        "credentials": sis.credentials,
        "options": sis.options,
        "year": sis.district.year,
        "allowed_hosts": LOOPBACK,
        "use_contact_record": True,
        **values,
    }
    return Connection(**settings)


def wrong(sis: Sandbox) -> dict[str, Any]:
    """What makes a connection one with wrong credentials, in the Url where that carries them."""
    if sis.credentials:
        return {"credentials": dict.fromkeys(sis.credentials, WRONG)}
    return {"url": f"{sis.url.partition('?')[0]}?token={WRONG}"}


@contextmanager
def connected(
    sis: Sandbox, *, waits: list[float] | None = None, page_size: int = 20, **values: Any
) -> Iterator[Connector]:
    """A connector to a sandbox server that notes its waits instead of waiting; small pages."""
    options: Mapping[str, Any] = {**sis.options, "page_size": page_size, **values.pop("options", {})}
    make: Any = connector_class(sis.vendor.key)
    noted = waits if waits is not None else []
    connector: Connector = make(connection(sis, options=options, **values), sleep=noted.append)
    try:
        yield connector
    finally:
        connector.close()


def school_of(connector: Connector, number: int) -> SourceSchool:
    """The school with this code."""
    return next(school for school in connector.schools() if school.code == str(number))


def read(connector: Connector, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Reading:
    """Read a school from a page on and confirm it."""
    pages = list(connector.pages(school, first=first, rows_before=rows_before))
    problems = [problem for page in pages for problem in page.problems]
    return Reading(pages, [*problems, *connector.confirm(school)])


def read_all(connector: Connector) -> dict[str, Reading]:
    """Read and confirm every building, by code."""
    return {school.code: read(connector, school) for school in connector.schools() if school.building}


def content(record: RawRecord) -> bytes:
    """The bytes of a record as a fingerprint sees them."""
    return b"\x00".join(bytes(part) for part in record.parts)


def one_school(connector: Connector, sis: Sandbox) -> Reading:
    """Read and confirm the district's first school."""
    return read(connector, school_of(connector, sis.district.real_schools[0].number))
