"""Reads a district from a zip of CSV files: everything is laid into a temporary file first, then given by school."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from ..base import DELTA_ONLY, Connection, Problem, RawRecord, Sighting, SourcePage, SourceSchool, Tenant
from .archive import ABSENT, DELTA, LARGER, Archive, Line
from .district import school_of, tenant_of, year_of
from .objects import plain_of, role_of, user_of
from .parse import AGENTS_FOLLOW, PEOPLE_FOLLOW
from .rows import STUDENT, Row, facts_at, is_gone, sightings, user_row
from .service import NONE
from .store import Store

USERS, ROLES, PEOPLE, REFUSED = "users", "roles", "demographics", "refused"
AT_ONCE = 1000
NAMES_ONLY_CHANGES = (
    "The file was a delta: it names only what has changed. Nobody was looked for who is not in it, and nobody was "
    "dropped for being absent."
)
LATER = "Tombstones and whole records of a delta are taken; the rest waits for the next whole (bulk) export."
WITHOUT_PEOPLE = Problem(
    "demographics_missing",
    "The zip has no demographics.csv: birth dates, genders, ethnicities and races were left as they were. Ask the "
    "district to export it too.",
)


class FileSource:
    """One zip, for one connector. It cannot be asked: what it does not hold must be missing twice in a row."""

    can_be_asked = False

    def __init__(
        self, file: BinaryIO, store: Store, options: Mapping[str, Any], *, where: str, connection: Connection
    ) -> None:
        """Read the zip into the store. Raises UnusableAnswer and ConfigurationError."""
        self._store, self._options, self._where, self._connection = store, options, where, connection
        most = LARGER * int(options["max_body_mb"]) << 20
        self._archive = Archive(file, version=str(options["version"]), most=most, where=where)
        wanted = (USERS, ROLES) if self._archive.version == "1.2" else (USERS,)
        self._delta = DELTA in [self._archive.mode(name) for name in wanted]
        # A delta leaves out a file in which nothing has changed.
        needed = self._archive.mode if self._delta else self._archive.needed
        self._here = {name for name in wanted if needed(name) != ABSENT}
        self._people = options["demographics"] != NONE and self._archive.mode(PEOPLE) != ABSENT
        self._problems: list[Problem] = []
        self._waiting: set[str] = set()
        self._unproven: dict[str, bytes] = {}
        self._orgs = self._plain("orgs")
        self._sessions = self._plain("academicSessions")
        self._load()

    def tenant(self) -> Tenant:
        """The district of orgs.csv, with what of it cannot be read."""
        orgs = self._orgs
        if not any(org.get("type") == "district" for org in orgs) and self._delta:
            return Tenant(id="", name="a delta that does not name its district", notices=self._notices())
        found = tenant_of(orgs, self._where)
        if self._connection.year is not None:
            self.year()
        return msgspec.structs.replace(found, notices=self._notices())

    def year(self) -> str:
        """The title of the school year read. Raises TenantChanged."""
        return year_of(self._sessions, asked=self._connection.year, today=dt.date.today(), where=self._where)

    def schools(self) -> list[SourceSchool]:
        """The orgs of the file; of a delta also the schools to be read that it does not name."""
        found = [school_of(org, self._where) for org in self._orgs]
        if self._delta:
            known = {school.code for school in found}
            others = sorted({*self._store.schools(), *self._connection.buildings} - known)
            found += [SourceSchool(code=code, key=code, name=code) for code in others]
        return found

    def pages(self, school: SourceSchool, *, first: int, rows_before: int) -> Iterator[SourcePage]:
        """The school's students in order of sourcedId, joined."""
        size, total = int(self._options["page_size"]), self._store.count(school.key)
        problems = list(self._problems)
        expected = (first - 1) * size
        if rows_before > min(expected, total) or rows_before < min(expected, total):
            problems.insert(0, Problem("resume_differs", f"School {school.code} has changed meanwhile."))
        for number in range(first, max(total - 1, 0) // size + 2):
            keys = self._store.students(school.key, first=(number - 1) * size, size=size)
            refused = self._store.get(REFUSED, keys)
            yield SourcePage(
                number=number,
                records=self._joined(school, [key for key in keys if key not in refused]),
                rows=len(keys),
                declared=total,
                problems=tuple(problems),
                rejected=tuple((key, "", body.decode()) for key, body in sorted(refused.items())),
            )
            problems = []

    def confirm(self, school: SourceSchool) -> tuple[Problem, ...]:
        """Nothing to compare in a file that is held whole; a delta says that it is one."""
        return (Problem(DELTA_ONLY, NAMES_ONLY_CHANGES),) if self._delta else ()

    def find(self, external_id: str) -> list[Sighting]:
        """Where the file has the student."""
        raw = self._store.get(USERS, [external_id]).get(external_id)
        return sightings(user_row(raw), dt.date.today()) if raw else []

    def check(self, buildings: Sequence[str]) -> Iterator[tuple[str, Callable[[], str], str]]:
        """The lines of a check: name, what to try, and who must change what when it fails."""
        again = "Ask the district to export again."
        yield "Schools", lambda: f"{self.tenant().name}: {sum(one.building for one in self.schools())} schools.", again
        yield "School year", lambda: self.year() or "The file tells no school year.", again
        yield "Students", lambda: self._told_of_students(buildings), again
        yield "Demographics", self._told_of_people, "Ask the district to export demographics.csv too."

    def _told_of_students(self, buildings: Sequence[str]) -> str:
        kind = "A delta: it names only changes" if self._delta else "A whole export"
        schools = [
            school for school in self.schools() if school.building and school.code in (buildings or [school.code])
        ]
        return f"{kind}; {sum(self._store.count(school.key) for school in schools)} students of {len(schools)} schools."

    def _told_of_people(self) -> str:
        return "The file has them." if self._people else WITHOUT_PEOPLE.message

    def _notices(self) -> tuple[Problem, ...]:
        found = () if self._people or self._options["demographics"] == NONE else (WITHOUT_PEOPLE,)
        if not self._waiting:
            return found
        count = len(self._waiting)
        told = f"The delta names {count} user{'s' if count > 1 else ''} in part only. {LATER}"
        return (*found, Problem("delta_in_part", told))

    def _plain(self, name: str) -> list[dict[str, Any]]:
        if self._archive.mode(name) == ABSENT:
            if name == "orgs" and not self._delta:
                self._archive.needed(name)
            return []
        return [plain_of(line.cells) for line in self._archive.lines(name)]

    def _load(self) -> None:
        """Lay demographics, users with their roles, and who is where into the store."""
        if self._people:
            self._fill(PEOPLE, ((line, plain_of(line.cells)) for line in self._archive.lines(PEOPLE)))
        roles: dict[str, list[dict[str, Any]]] = {}
        if ROLES in self._here:
            for line in self._archive.lines(ROLES):
                if found := self._role(line):
                    roles.setdefault(line.cells["userSourcedId"], []).append(found)
        lines = self._archive.lines(USERS) if USERS in self._here else ()
        self._fill(USERS, ((line, user_of(line.cells, roles.get(line.cells["sourcedId"], ()))) for line in lines))
        others = roles.keys() - self._store.ids(USERS) - self._store.ids(REFUSED)
        if self._delta:
            self._in_part({key: roles[key] for key in others})
        elif others:
            told = (
                f"roles.csv names {len(others)} users that users.csv does not have, so nobody can tell who is missing."
            )
            self._problems.append(Problem("unreadable_rows", told))
        self._store.put(REFUSED, self._unproven.items())

    def _role(self, line: Line) -> dict[str, Any] | None:
        """A role; of a line that is no use what still says where the user is, and the user is refused."""
        key = line.cells.get("userSourcedId", "")
        if self._usable(ROLES, line, key=key):
            return role_of(line.cells)
        if not key or line.short:
            return None
        self._unproven[key] = _fault(ROLES, line)
        found = role_of({**line.cells, "role": line.cells.get("role") or STUDENT})
        if found["role"].lower() == STUDENT and not found["org"]["sourcedId"]:
            told = f"Line {line.number} of roles.csv does not say of which school it is"
            self._problems.append(Problem("unreadable_rows", f"{told}, so nobody can tell who is missing."))
        return found

    def _fill(self, kind: str, rows: Iterable[tuple[Line, dict[str, Any]]]) -> None:
        batch: dict[str, bytes] = {}
        for line, found in rows:
            key = str(found.get("sourcedId", ""))
            if not self._usable(kind, line, key=key):
                if key and kind == USERS:
                    self._refuse(key, found, _fault(kind, line))
                elif key:
                    self._unproven[key] = _fault(kind, line)
                continue
            batch[key] = self._first(kind, key, msgspec.json.encode(found), batch)
            if len(batch) == AT_ONCE:
                self._keep(kind, batch)
        self._keep(kind, batch)

    def _first(self, kind: str, key: str, body: bytes, batch: dict[str, bytes]) -> bytes:
        """The first row of an id; a second one that differs refuses the user."""
        known = batch.get(key) or self._store.get(kind, [key]).get(key) or body
        if known != body:
            self._unproven[key] = f"Two different rows came under one sourcedId ({kind}.csv).".encode()
        return known

    def _keep(self, kind: str, batch: dict[str, bytes]) -> None:
        self._store.put(kind, batch.items())
        if kind == USERS:
            rows = map(user_row, batch.values())
            self._store.place((stay.school, row.key) for row in rows for stay in row.stays)
            if self._delta:
                self._waiting.update(key for key, body in batch.items() if not _whole(body))
        batch.clear()

    def _usable(self, kind: str, line: Line, *, key: str) -> bool:
        """Whether a line can be taken; a file that breaks off, or a user without an id, leaves the rest unproven."""
        if line.short or not key:
            told = f"{kind}.csv breaks off at line {line.number}" if line.short else f"Line {line.number} of {kind}.csv"
            why = "" if line.short else " has no sourcedId"
            self._problems.append(Problem("unreadable_rows", f"{told}{why}, so nobody can tell who is missing."))
        return bool(key) and not line.fault

    def _refuse(self, key: str, found: dict[str, Any], message: bytes) -> None:
        """Remember a student whose line is no use: seen at the schools it names, taken nowhere."""
        self._store.put(REFUSED, [(key, message)])
        row = user_row(msgspec.json.encode(found))
        self._store.place((stay.school, key) for stay in row.stays)

    def _in_part(self, roles: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """What a delta says of a user whose own line it lacks: that a role is over is enough, nothing else is."""
        for key, told in roles.items():
            if all(is_gone(one["status"]) for one in told):
                self._keep(USERS, {key: msgspec.json.encode({"sourcedId": key, "roles": list(told)})})
            else:
                self._waiting.add(key)
        self._waiting.update((self._store.ids(PEOPLE) | self._unproven.keys()) - self._store.ids(USERS))

    def _joined(self, school: SourceSchool, keys: Sequence[str]) -> list[RawRecord]:
        today = dt.date.today()
        users = self._store.get(USERS, keys)
        people = self._store.get(PEOPLE, keys) if self._people else {}
        rows = [user_row(users[key]) for key in keys if key in users]
        agents = self._store.get(USERS, list(dict.fromkeys(agent for row in rows for agent in row.agents)))
        return [self._record(row, school, people, agents, today) for row in rows]

    def _record(
        self,
        row: Row,
        school: SourceSchool,
        people: Mapping[str, bytes],
        agents: Mapping[str, bytes],
        today: dt.date,
    ) -> RawRecord:
        facts = facts_at(row, school.key, today, delta=self._delta)
        parts: list[bytes] = [bytes(row.raw), f"{facts.status} {facts.role}".encode()]
        if row.key in people:
            parts += [PEOPLE_FOLLOW, people[row.key]]
        if self._options["contacts"] != NONE and self._agents_known(row, agents):
            parts += [AGENTS_FOLLOW, *(agents[key] for key in row.agents if key in agents)]
        return RawRecord(external_id=row.key, parts=tuple(parts), facts=facts)

    def _agents_known(self, row: Row, agents: Mapping[str, bytes]) -> bool:
        """Whether the file can say who a student's contacts are: a delta, a broken file or line may lack some."""
        if self._delta or self._problems:
            return all(key in agents for key in row.agents)
        return not self._store.get(REFUSED, row.agents)


def _fault(kind: str, line: Line) -> bytes:
    return f"{line.fault} ({kind}.csv, line {line.number})".encode()


def _whole(body: bytes) -> bool:
    """Whether a user of a delta says where the user belongs; without that nobody knows whose pupil it is."""
    user = msgspec.json.decode(body)
    return bool(user.get("roles") or user.get("orgs"))
