"""Reads a district from the rostering service: schools, their students page by page, one user by id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import NotFound, PermissionMissing, RequestRefused, UnusableAnswer, WrongSystem
from ...parsing import as_dict, read
from ..base import Problem, RawRecord, Sighting, SourcePage, SourceSchool, Tenant
from .client import OneRosterClient, Window, quoted
from .district import school_of, tenant_of, year_of
from .parse import AGENTS_FOLLOW, PEOPLE_FOLLOW
from .rows import Row, facts_at, sightings, sorted_out, user_row
from .store import Store

LIST, EACH, NONE = "list", "each", "none"
MOST_PAGES = 100_000
PEOPLE, AGENT = "demographics", "users"
SINGLE = {PEOPLE: "demographics", AGENT: "user"}
ASK_FOR_PEOPLE = "Ask the district to grant the key demographics (the scope roster-demographics.readonly)."
WITHOUT_PEOPLE = Problem(
    "demographics_missing",
    "The system does not let this key read demographics: birth dates, genders, ethnicities and races were left as "
    f"they were. {ASK_FOR_PEOPLE}",
)


class _Reading(msgspec.Struct):
    """How far a school has been read. rows: of the answers. received: students, each once. ends: a list of
    links said so."""

    declared: int | None
    rows: int
    received: int
    ends: bool = False


class ServiceSource:
    """One rostering service, for one connector."""

    can_be_asked = True

    def __init__(self, client: OneRosterClient, store: Store, options: Mapping[str, Any], *, year: int | None) -> None:
        self._client, self._store, self._options, self._year = client, store, options, year
        self._orgs: list[dict[str, Any]] | None = None
        self._readings: dict[str, _Reading] = {}
        self._filled: set[str] = set()
        self._people: bool | None = None

    def tenant(self) -> Tenant:
        """The district, with what of it cannot be read."""
        found = tenant_of(self._listed(), self._client.where)
        if self._year is not None:
            self.year()
        return found if self._may_read_people() else msgspec.structs.replace(found, notices=(WITHOUT_PEOPLE,))

    def year(self) -> str:
        """The title of the school year read. Raises TenantChanged."""
        sessions = [
            as_dict(read(raw, where=self._client.where)) for raw in self._all("academicSessions", "academicSessions")
        ]
        return year_of(sessions, asked=self._year, today=dt.date.today(), where=self._client.where)

    def schools(self) -> list[SourceSchool]:
        """All orgs."""
        return [school_of(org, self._client.where) for org in self._listed()]

    def pages(self, school: SourceSchool, *, first: int, rows_before: int) -> Iterator[SourcePage]:
        """The school's students in order of sourcedId, joined, a page as the service gives it."""
        size = int(self._options["page_size"])
        window = self._window(school, size, rows_before)
        reading = self._readings[school.code] = _Reading(window.total, rows_before, rows_before)
        expected = (first - 1) * size
        differs = rows_before > expected or bool(window.rows and rows_before < expected)
        seen: dict[str, bytes] = {}
        for number in range(first, MOST_PAGES):
            received = reading.received
            if window.rows or number == 1 or differs:
                page = self._page(school, number, window, reading, seen)
                if differs:
                    changed = Problem("resume_differs", f"School {school.code} has changed meanwhile.")
                    page = msgspec.structs.replace(page, problems=(changed, *page.problems))
                yield page
            differs = False
            if reading.received == received or not _goes_on(window, reading.rows):
                return
            window = self._window(school, size, reading.rows)

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Looks behind the last row, counts again, and compares with the rows received."""
        reading = self._readings.pop(school.code, None)
        name = f"School {school.code}"
        if reading is None:
            return (Problem("count_disagrees", f"{name} was not read to its end."),)
        behind = self._window(school, 1, reading.rows)
        if behind.total != reading.declared:
            return (Problem("count_disagrees", f"{name} changed while it was read."),)
        if reading.declared is None and not reading.ends:
            told = f"The system tells neither how many students school {school.code} has nor where its list ends."
            return (Problem("count_untold", told),)
        if reading.declared is not None and reading.received != reading.declared:
            code = "page_skipped" if reading.received < reading.declared else "count_disagrees"
            told = f"{name} has {reading.declared} students and sent {reading.received}."
            return (Problem(code, told),)
        if behind.rows:
            return (Problem("count_disagrees", f"{name} has more students than it counts."),)
        return ()

    def find(self, external_id: str) -> list[Sighting]:
        """Where the one user of this id is a student."""
        raw = self._client.single(
            f"/students/{quoted(external_id)}", name="user", doing=f"look up student {external_id}"
        )
        if raw is None:
            return []
        row = user_row(raw)
        if row.fault is not None:
            told = f"{self._client.where} sent a record of student {external_id} that cannot be read"
            raise UnusableAnswer(f"{told}: {row.fault.message}")
        return sightings(row, dt.date.today())

    def check(self, buildings: Sequence[str]) -> Iterator[tuple[str, Callable[[], str], str]]:
        """The lines of a check after signing in: name, what to try, and who must change what when it fails."""
        district = "Ask the district to grant the key the roster (the scope roster.readonly)."
        yield (
            "Schools",
            lambda: f"{self.tenant().name}: {sum(one.building for one in self.schools())} schools.",
            district,
        )
        yield "School year", self._probe_year, "Wait until the district opens the school year in its provider."
        yield "Students", lambda: self._probe_students(buildings), district
        if self._options["demographics"] != NONE:
            yield (
                "Demographics",
                self._probe_people,
                f"{ASK_FOR_PEOPLE} Until then an import leaves those fields alone.",
            )
        if self._options["contacts"] != NONE:
            yield "Contacts", self._probe_contacts, f"{district} Or set the option contacts to none."

    def _probe_year(self) -> str:
        found = self.year()
        return f"{found}." if found else "The system tells no school year; what it lists is what is read."

    def _probe_students(self, buildings: Sequence[str]) -> str:
        listed = [school for school in self.schools() if school.building]
        if not listed:
            raise UnusableAnswer(f"{self._client.where} lists no school.")
        school = min(listed, key=lambda one: one.code not in buildings)
        total = self._window(school, 1, 0).total
        counted = "Students" if total is None else f"{total} students"
        return f"{counted} of {school.name} ({school.code}) can be read."

    def _probe_people(self) -> str:
        self._piece("demographics", PEOPLE, 1, 0)
        return "Demographics can be read."

    def _probe_contacts(self) -> str:
        self._piece("users", AGENT, 1, 0)
        return "Parents and guardians can be read."

    def _listed(self) -> list[dict[str, Any]]:
        if self._orgs is None:
            self._orgs = [as_dict(read(raw, where=self._client.where)) for raw in self._all("orgs", "orgs")]
        return self._orgs

    def _window(self, school: SourceSchool, size: int, offset: int) -> Window:
        doing = f"read students of school {school.code}"
        path = f"/schools/{quoted(school.key)}/students"
        try:
            return self._client.window(path, limit=size, offset=offset, name="users", doing=doing)
        except NotFound:
            raise RequestRefused(f"{self._client.where} was asked to {doing} and knows no such school.") from None

    def _piece(self, path: str, name: str, size: int, offset: int) -> Window:
        return self._client.window(f"/{path}", limit=size, offset=offset, name=name, doing=f"list {path}")

    def _all(self, path: str, name: str) -> Iterator[Raw]:
        """Every row of a district-wide list, each once. Raises UnusableAnswer when fewer came than there are."""
        size, rows, seen = int(self._options["page_size"]), 0, set[int]()
        while True:
            window = self._piece(path, name, size, rows)
            fresh = {hash(bytes(raw)): raw for raw in window.rows}
            fresh = {mark: raw for mark, raw in fresh.items() if mark not in seen}
            seen.update(fresh)
            yield from fresh.values()
            rows += len(window.rows)
            if not fresh or not _goes_on(window, rows):
                break
        if len(seen) < (rows if window.total is None else max(rows, window.total)):
            told = f"{self._client.where} sent {len(seen)} {path} and holds {window.total or rows}, or sent some twice."
            raise UnusableAnswer(f"{told} Try again later.")

    def _page(
        self, school: SourceSchool, number: int, window: Window, reading: _Reading, seen: dict[str, bytes]
    ) -> SourcePage:
        """One page of what is new in a window; the reading is told of it."""
        size, count = int(self._options["page_size"]), len(window.rows)
        new, rejected, problems = sorted_out(map(user_row, window.rows), seen, f"school {school.code}")
        behind = reading.rows + count
        more = window.following is not None or (window.total is not None and window.total > behind)
        if count > size:
            problems.append(Problem("page_size_ignored", f"School {school.code} came in larger pages than asked for."))
        if count < size and more and window.following != behind:
            problems.append(
                Problem("page_truncated", f"A page of school {school.code} held fewer students than asked for.")
            )
        if window.total != reading.declared:
            problems.append(Problem("count_disagrees", f"School {school.code} changed while it was read."))
        reading.rows, reading.received = behind, reading.received + len(new) + len(rejected)
        reading.ends = window.ends
        return SourcePage(
            number=number,
            records=self._joined(school, new),
            rows=count,
            declared=reading.declared,
            problems=tuple(problems),
            rejected=tuple(rejected),
        )

    def _joined(self, school: SourceSchool, rows: Sequence[Row]) -> list[RawRecord]:
        """Rows with their demographics and agents. What a date decides is a part: it changes without the row."""
        today = dt.date.today()
        people = self._people_of([row.key for row in rows])
        agents = self._agents_of(rows)
        found = []
        for row in rows:
            facts = facts_at(row, school.key, today)
            parts: list[bytes | Raw] = [row.raw, f"{facts.status} {facts.role}".encode()]
            if people is not None and row.key in people:
                parts += [PEOPLE_FOLLOW, people[row.key]]
            if agents is not None:
                parts += [AGENTS_FOLLOW, *(agents[key] for key in row.agents if key in agents)]
            found.append(RawRecord(external_id=row.key, parts=tuple(parts), facts=facts))
        return found

    def _people_of(self, keys: Sequence[str]) -> dict[str, bytes] | None:
        if not self._may_read_people():
            return None
        return self._rows_of(PEOPLE, keys, one_by_one=self._options["demographics"] == EACH)

    def _agents_of(self, rows: Sequence[Row]) -> dict[str, bytes] | None:
        if self._options["contacts"] == NONE:
            return None
        keys = list(dict.fromkeys(key for row in rows if not row.gone for key in row.agents))
        return self._rows_of(AGENT, keys, one_by_one=self._options["contacts"] == EACH)

    def _rows_of(self, kind: str, keys: Sequence[str], *, one_by_one: bool) -> dict[str, bytes]:
        """Id → row. Of a list read whole before, or asked for one by one; an id nobody knows is left out."""
        if not one_by_one and kind not in self._filled:
            self._filled.add(kind)
            self._fill(kind)
        found = self._store.get(kind, keys)
        asked = {key: self._one(kind, key) for key in keys if key not in found}
        self._store.put(kind, asked.items())
        return {key: body for key, body in (found | asked).items() if body}

    def _one(self, kind: str, key: str) -> bytes:
        """A row asked for by id, b"" for an id nobody knows."""
        raw = self._client.single(f"/{kind}/{quoted(key)}", name=SINGLE[kind], doing=f"read {kind} by id")
        return b"" if raw is None else bytes(raw)

    def _fill(self, kind: str) -> None:
        """Keep a district-wide list; where it may not be read, each row is asked for when it is needed."""
        batch: list[tuple[str, bytes]] = []
        try:
            for raw in self._all(kind, kind):
                row = user_row(raw)
                if row.key and (kind == PEOPLE or not row.stays):
                    batch.append((row.key, bytes(raw)))
                if len(batch) == 1000:
                    self._store.put(kind, batch)
                    batch.clear()
        except (PermissionMissing, NotFound, RequestRefused, WrongSystem):
            if kind == PEOPLE:
                raise
        self._store.put(kind, batch)

    def _may_read_people(self) -> bool:
        """Whether demographics are wanted and granted."""
        if self._options["demographics"] == NONE:
            return False
        if self._people is None:
            try:
                self._probe_people()
                self._people = True
            except (PermissionMissing, NotFound, WrongSystem):
                self._people = False
        return self._people


def _goes_on(window: Window, rows: int) -> bool:
    """Whether more follows a window, or may. rows: received so far."""
    if window.following is not None:
        return True
    if window.total is not None:
        return window.total > rows
    return not window.ends and bool(window.rows)
