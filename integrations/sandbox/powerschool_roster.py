"""A district indexed and rendered for PowerSchool, kept up to date at the price of what changed.

Call everything with the district's lock held.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from integrations.sandbox.district import Child, ContactLink, District, School
from integrations.sandbox.powerschool_contacts import contact_bytes
from integrations.sandbox.powerschool_query import Clause, Value, matches
from integrations.sandbox.powerschool_rows import Standing, facts, standing, student_members

KEPT_SELECTIONS = 4
"""How many different choices of expansions and extensions keep their rendered students."""


_Selection = tuple[tuple[str, ...], tuple[str, ...]]


class _Entry(NamedTuple):
    """What is known of a child while its revision stays the same."""

    child: Child
    revision: int
    where: Standing
    facts: dict[str, Value]


class _Rendered(NamedTuple):
    where: Standing
    members: bytes


class Roster:
    """Students, schools and contacts of one district by PowerSchool's keys."""

    def __init__(self, district: District, *, keep_zeros: bool) -> None:
        """Index `district` at the first use and again after each change of it."""
        self.district, self.keep_zeros = district, keep_zeros
        self._version = -1
        self._schools: dict[int, School] = {}
        self._entries: dict[int, _Entry] = {}
        self._order: list[_Entry] = []
        self._in_school: dict[int, list[_Entry]] = {}
        self._links: dict[int, list[tuple[Child, ContactLink, Standing]]] = {}
        self._rendered: OrderedDict[_Selection, dict[int, _Rendered]] = OrderedDict()
        self._contacts: dict[int, tuple[tuple[tuple[int, int], ...], bytes]] = {}

    def refresh(self) -> int:
        """Take in what changed in the district since the last call; returns the district's version."""
        district = self.district
        if self._version == district.version:
            return self._version
        self._schools = {school.number: school for school in district.schools}
        entries: dict[int, _Entry] = {}
        for child in district.children.values():
            known = self._entries.get(child.dcid)
            if known is None or known.child is not child or known.revision != child.revision:
                where = standing(child, district, self._schools)
                known = _Entry(child, child.revision, where, facts(child, where)) if where else None
            if known:
                entries[child.dcid] = known
        self._entries, self._order = entries, [entries[dcid] for dcid in sorted(entries)]
        self._links, self._in_school = {}, {}
        for entry in self._order:
            self._in_school.setdefault(entry.where.school_number, []).append(entry)
            for link in entry.child.contacts:
                self._links.setdefault(link.contact.id, []).append((entry.child, link, entry.where))
        self._version = district.version
        return self._version

    def school(self, dcid: int) -> School | None:
        """The school with this DCID, or None."""
        return next((school for school in self.district.schools if school.dcid == dcid), None)

    def select(self, clauses: tuple[Clause, ...], school: int | None = None) -> list[int]:
        """DCIDs, ascending, of the students who meet the conditions, in one school (its number) or in all."""
        self.refresh()
        among = self._order if school is None else self._in_school.get(school, [])
        return [entry.child.dcid for entry in among if matches(clauses, entry.facts)]

    def student(self, dcid: int, expansions: tuple[str, ...], extensions: tuple[str, ...]) -> bytes | None:
        """The members of one student object without its braces; None when there is no such student."""
        self.refresh()
        entry = self._entries.get(dcid)
        if entry is None:
            return None
        rows = self._selection(expansions, extensions)
        known = rows.get(dcid)
        # A standing belongs to one revision of a child, so the same object means nothing changed.
        if known is None or known.where is not entry.where:
            known = rows[dcid] = _Rendered(
                entry.where,
                student_members(entry.child, entry.where, expansions, extensions, keep_zeros=self.keep_zeros),
            )
        return known.members

    def contacts_of(self, dcid: int) -> list[bytes] | None:
        """The contact objects of one student, each once, in the order of its links; None: no such student."""
        self.refresh()
        entry = self._entries.get(dcid)
        if entry is None:
            return None
        links = sorted(entry.child.contacts, key=lambda link: (link.order, link.sequence))
        found = (self.contact(number) for number in dict.fromkeys(link.contact.id for link in links))
        return [body for body in found if body is not None]

    def contact(self, number: int) -> bytes | None:
        """One contact object with all its students; None when no student has such a contact."""
        self.refresh()
        links = self._links.get(number)
        if not links:
            return None
        stamp = tuple((child.dcid, child.revision) for child, _, _ in links)
        known = self._contacts.get(number)
        if known is None or known[0] != stamp:
            body = contact_bytes(links[0][1].contact, links, self._schools, year=self.district.year)
            known = self._contacts[number] = (stamp, body)
        return known[1]

    def _selection(self, expansions: tuple[str, ...], extensions: tuple[str, ...]) -> dict[int, _Rendered]:
        key = (expansions, extensions)
        if key not in self._rendered:
            self._rendered[key] = {}
            while len(self._rendered) > KEPT_SELECTIONS:
                self._rendered.popitem(last=False)
        self._rendered.move_to_end(key)
        return self._rendered[key]
