"""What the pipeline asks of a connector, in values: no database, no Django, no vendor names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from students.records import Facts, StudentRecord


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a connector needs to know of one integration.

    credentials: the console's own keys (token, consumer_token, consumer_secret, user_token,
    user_secret). year: the school year to read, as the year its autumn falls in (2026 is 2026-2027);
    None is the system's default. primary_codes and alternate_codes: enrollment program codes, "" is a
    blank code; both empty means that every code is primary. options: checked by the connector.
    buildings: the system's codes of the schools to read, for a check that tries one of them; () where they
    do not matter. pictures_only: pictures are read, and nothing else has to be allowed. allowed_hosts: hosts
    (``host`` or ``host:port``) that may be private and plain http.
    """

    url: str
    credentials: Mapping[str, str] = {}
    year: int | None = None
    primary_codes: frozenset[str] = frozenset()
    alternate_codes: frozenset[str] = frozenset()
    use_contact_record: bool = False
    use_local_id_as_pin: bool = False
    options: Mapping[str, Any] = {}
    buildings: tuple[str, ...] = ()
    pictures_only: bool = False
    allowed_hosts: frozenset[str] = frozenset()

    def role(self, program: str) -> str:
        """PRIMARY, ALTERNATE or UNLISTED for an enrollment program code, blanks trimmed."""
        code = program.strip()
        if not self.primary_codes and not self.alternate_codes:
            return "primary"
        if code in self.primary_codes:
            return "primary"
        return "alternate" if code in self.alternate_codes else "unlisted"


class SourceSchool(msgspec.Struct, frozen=True, kw_only=True):
    """One school as the system lists it.

    code: what a Building mapping holds as external value. key: what the system's addresses need.
    building: False for what is no school (district office, graduated students, templates).
    """

    code: str
    key: str
    name: str
    low_grade: str = ""
    high_grade: str = ""
    building: bool = True


class RawRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything one school's feed says of one student, undecoded.

    parts: the raw bytes in an order that is the same whenever the content is the same; their
    fingerprint decides whether anything is looked at.
    """

    external_id: str
    parts: tuple[bytes | msgspec.Raw, ...]
    facts: Facts


class Problem(msgspec.Struct, frozen=True):
    """A reason why a snapshot is not proven complete.

    code: page_truncated, page_repeated, page_skipped, count_disagrees, unreadable_rows, school_empty,
    school_failed, ... message: one sentence for a person.
    """

    code: str
    message: str


DELTA_ONLY = "delta_only"
"""The code of the one Problem that is no trouble: the source names only what has changed, and no absence counts."""


class SourcePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of joined records of one school.

    number: from 1. rows: how many rows of the system's answer it stands for. declared: the total the
    system stated for the school when the reading began, None where it states none. problems: found
    while reading this page. rejected: rows that could not be split into records, each as
    (external id or "", field, message); they count as seen when the id is known.
    """

    number: int
    records: Sequence[RawRecord]
    rows: int
    declared: int | None = None
    problems: tuple[Problem, ...] = ()
    rejected: tuple[tuple[str, str, str], ...] = ()


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """Where the system, asked for one student by id, says the student is.

    school: the school's code. status: CURRENT, FUTURE or LEFT. left: the system's leave date.
    """

    school: str
    status: str
    left: dt.date | None = None


class Check(msgspec.Struct, frozen=True):
    """One line of a connection check. remedy: who must change what, "" when ok."""

    name: str
    ok: bool
    message: str
    remedy: str = ""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we talk to: id is stable text for the district, the same in every year; name is for a person.

    id is "" where the source does not tell this time. notices: what a person should know of the whole source,
    such as a permission it lacks, though it speaks against no school having been read whole.
    """

    id: str
    name: str
    notices: tuple[Problem, ...] = ()


@runtime_checkable
class Offering(Protocol):
    """A connector class with files for the district: something to install before the system can be read."""

    @classmethod
    def files(cls, options: Mapping[str, Any]) -> dict[str, bytes]:
        """File name → content, for an integration with these options; the same options give the same bytes."""
        ...


@runtime_checkable
class Connector(Protocol):
    """One kind of student information system, reading. Instances are used by one thread, then closed."""

    system: ClassVar[str]
    parse_version: ClassVar[int]
    """Raised whenever the same bytes would be normalised differently."""
    can_be_asked: ClassVar[bool]
    """Whether ``find`` can look a student up by id across the whole district."""
    refuses_other_years: ClassVar[bool]
    """Whether a year asked for is either read or refused, with a sentence, whatever else the district grants. Such a
    system is always asked for the year of the run; any other only when a person has chosen one."""

    def __init__(self, connection: Connection) -> None: ...

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with the defaults of the others. Raises ConfigurationError naming what is wrong."""
        ...

    def tenant(self) -> Tenant:
        """The district and year behind the connection. Raises TenantChanged for another year."""
        ...

    def check(self) -> list[Check]:
        """A connection and permission probe; failures are lines, never exceptions."""
        ...

    def schools(self) -> list[SourceSchool]:
        """All the system lists, in its order, non-schools included with ``building`` False."""
        ...

    def pages(self, school: SourceSchool, *, first: int = 1, rows_before: int = 0) -> Iterator[SourcePage]:
        """The school's students from page ``first`` on; rows_before: rows of the pages before it.

        Raises IntegrationError for what ends the school's reading.
        """
        ...

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Asked once after the last page: what speaks against the school having been read whole."""
        ...

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """One raw record in canonical shape, codes still the system's. Raises RecordError."""
        ...

    def find(self, external_id: str) -> list[Sighting]:
        """Every record the system holds of one student, district-wide; [] when it knows no such id."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


class SourceCode(msgspec.Struct, frozen=True, kw_only=True):
    """One code of a list that a system keeps.

    code: as the system's records carry it, and so as a data entity mapping holds it. category: the wider group the
    system counts it to, such as a federal race, "" for none. retired: old records may still carry it. opaque: a
    number of the system's own, which means nothing by itself.
    """

    code: str
    description: str = ""
    category: str = ""
    retired: bool = False
    opaque: bool = False


@runtime_checkable
class CodeSource(Protocol):
    """A connector of a system that can tell the codes it knows. Its schools, codes of Building, it tells anyway."""

    def codes(self, entity: str) -> Sequence[SourceCode] | None:
        """Every code of an entity such as ``gender``, in the system's order; None where it keeps no such list.

        Raises IntegrationError.
        """
        ...


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The newest picture of one student. data: the file's bytes, b"" when fault says why there are none to use.

    year: the autumn of the school year it was taken in, None where the system does not tell.
    """

    external_id: str
    data: bytes = b""
    year: int | None = None
    fault: str = ""


class PicturePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some students of one school with their pictures. number: from 1. without: ids that have none."""

    number: int
    pictures: Sequence[Picture]
    without: Sequence[str] = ()


@runtime_checkable
class PictureSource(Protocol):
    """A connector of a system that also has pictures of its students."""

    def pictures(self, school: SourceSchool, *, first: int = 1) -> Iterator[PicturePage]:
        """The school's pictures from page ``first`` on, few at a time; an empty last page is not given.

        Raises IntegrationError for what ends the school's reading.
        """
        ...
