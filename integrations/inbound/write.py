"""Apply changes to students and contacts in memory, compare, and write what differs in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from integrations.models import Change, ExternalIdentity
from students import bulk
from students.differ import Policy, plain
from students.families import name_key
from students.models import AcademicYear, Contact, Enrollment, Family, School, Student, StudentAllergy, StudentContact
from students.models.photos import StudentPhoto, forget_files
from students.newcomers import Newcomer, day, stay_key
from students.records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_FIELDS, STUDENT_PATHS

from . import hub
from .planned import Planned

ENTITY_OF = {"enrollments": "enrollment", "contacts": "contact"}
SPEAKER = "speaker"
"""The path of which of a student's ids in the integration speaks, since two records were merged."""
STAY_FIELDS = ("grade_level", "entered", "left", "exit_reason", "primary")


class Places(msgspec.Struct, frozen=True):
    """Primary keys of schools by code and of academic years by name."""

    schools: dict[str, int]
    years: dict[str, int]


def load_places() -> Places:
    """The schools and years there are now."""
    return Places(
        schools=dict(School.objects.values_list("code", "id")),
        years=dict(AcademicYear.objects.values_list("name", "id")),
    )


class _Person(msgspec.Struct, kw_only=True):
    """One student while the changes are applied; stays and links by their paths."""

    external_id: str
    held: hub.Held
    values: dict[str, Any] = {}
    family: str | None = None
    stays: dict[str, dict[str, Any]] = {}
    stay_ids: dict[str, int] = {}
    links: dict[str, dict[str, Any]] = {}
    speaker: str = ""
    deleted: bool = False


class Batch:
    """Changes applied together. conflicts: external ids with a field not written; linked: id → student."""

    def __init__(self, integration_id: int, places: Places) -> None:
        self.integration_id, self.places = integration_id, places
        self.people: dict[int, _Person] = {}
        self.newcomers: list[tuple[Planned, Newcomer]] = []
        self.contacts: dict[int, dict[str, Any]] = {}
        self.contact_columns: set[str] = set()
        self.touched_contacts: set[int] = set()
        self.new_contacts: list[tuple[Planned, tuple[Any, ...]]] = []
        self.identities: list[tuple[Any, ...]] = []
        self.contact_ids: dict[str, int] = {}
        self.deleted_contacts: set[int] = set()
        self.conflicts: set[str] = set()
        self.linked: dict[str, int] = {}

    def load(self, students: Sequence[Planned], contacts: Sequence[Planned]) -> None:
        """Lock and load the rows that the changes speak of."""
        ids = (c.target for c in students if c.target)
        wanted = any("allergies" in c.fields for c in students)
        held = hub.load(self.integration_id, ids, for_update=True, allergies=wanted)
        self.people = {pk: _person("", one) for pk, one in held.items()}
        self.contacts = hub.lock_contacts(c.target for c in contacts if c.target)

    def add_student(self, change: Planned, newcomer: Newcomer) -> None:
        """Take in a new student and set the change's status."""
        self.newcomers.append((change, newcomer))
        change.status = Change.Status.APPLIED

    def add_contact(self, change: Planned, values: tuple[Any, ...]) -> None:
        """Take in a new contact, its values in the order of CONTACT_FIELDS, and set the change's status."""
        self.new_contacts.append((change, values))
        change.status = Change.Status.APPLIED

    def take_contact(self, change: Planned, *, policy: Policy) -> None:
        """Apply one change of a contact we hold in memory and set its status."""
        contact = self.contacts.get(change.target or 0)
        if contact is None:
            self._refuse(change, change.fields, None)
            return
        if change.kind == Change.Kind.DELETE:
            self.deleted_contacts.add(change.target or 0)
            change.status = Change.Status.APPLIED
            return
        done = 0
        for path, (before, after) in change.fields.items():
            now = plain(contact[path], path)
            if f"contact.{path}" in policy.foreign:
                change.withheld[path] = [now, after, "owned"]
            elif now != before and now != after:
                change.withheld[path] = [now, after, "conflict"]
            else:
                contact[path] = after
                self.contact_columns.add(path)
                self.touched_contacts.add(change.target or 0)
                done += 1
        self._finish(change, done)

    def take_student(self, change: Planned, *, policy: Policy) -> None:
        """Apply one change of a student we hold in memory and set its status."""
        found = self.people.get(change.target or 0)
        if found is None and change.target is None and not change.fields:
            change.status = Change.Status.APPLIED
            return
        if found is None:
            self._refuse(change, change.fields, None)
            return
        found.external_id = change.external_id
        if change.kind == Change.Kind.DELETE:
            found.deleted = True
            change.status = Change.Status.APPLIED
            return
        self._finish(change, self._put_all(found, change, policy))

    def _put_all(self, person: _Person, change: Planned, policy: Policy) -> int:
        done = 0
        before_stays = {path: dict(stay) for path, stay in person.stays.items()}
        stay_paths = []
        for path, (before, after) in change.fields.items():
            head = path.partition(".")[0]
            name = f"{ENTITY_OF.get(head, 'student')}.{path.rpartition('.')[2]}"
            if path == SPEAKER:
                person.speaker = after
                done += 1
                continue
            now = _get(person, path)
            if head in person.held.locked:
                change.withheld[path] = [now, after, "locked"]
            elif name in policy.foreign:
                change.withheld[path] = [now, after, "owned"]
            elif now != before and now != after:
                change.withheld[path] = [now, after, "conflict"]
            else:
                _put(person, path, after)
                done += 1
                if head == "enrollments":
                    stay_paths.append(path)
        if stay_paths and not _possible(person.stays):
            person.stays = before_stays
            for path in stay_paths:
                change.withheld[path] = [_get(person, path), change.fields[path][1], "conflict"]
            done -= len(stay_paths)
        return done

    def _finish(self, change: Planned, done: int) -> None:
        conflicts = any(why == "conflict" for _, _, why in change.withheld.values())
        if conflicts:
            self.conflicts.add(change.external_id)
        if done or not change.fields:
            change.status = Change.Status.APPLIED
        else:
            change.status = Change.Status.CONFLICT if conflicts else Change.Status.WITHHELD

    def _refuse(self, change: Planned, fields: dict[str, list[Any]], now: Any) -> None:
        """The row is gone: nothing of the change can be written."""
        change.withheld = {path: [now, after, "conflict"] for path, (_, after) in fields.items()}
        change.status = Change.Status.CONFLICT
        self.conflicts.add(change.external_id)

    def write(self) -> None:
        """Write everything that differs: contacts, families, students, identities, enrollments, links, allergies."""
        self._write_contacts()
        families = self._families()
        self._write_students(families)
        self._write_identities()
        self._write_stays()
        self._write_links()
        self._write_allergies()

    def _write_contacts(self) -> None:
        if self.deleted_contacts:
            Contact.objects.filter(pk__in=self.deleted_contacts).delete()
        columns = sorted(self.contact_columns)
        bulk.update(
            Contact,
            columns,
            [(pk, *(self.contacts[pk][c] for c in columns)) for pk in sorted(self.touched_contacts)],
        )
        ids = bulk.reserve_ids(Contact, len(self.new_contacts))
        rows = []
        for pk, (change, values) in zip(ids, self.new_contacts, strict=True):
            change.target = pk
            self.contact_ids[change.external_id] = pk
            rows.append((pk, *values))
            self.identities.append((self.integration_id, "contact", change.external_id, None, pk))
        bulk.insert(Contact, ("id", *CONTACT_FIELDS), rows)

    def _families(self) -> dict[str, int]:
        keys = {p.family for p in self.people.values() if p.family and p.family != p.held.family}
        keys |= {newcomer.family for _, newcomer in self.newcomers if newcomer.family}
        if not keys:
            return {}
        known = dict(Family.objects.filter(key__among=keys).values_list("key", "id"))
        if len(known) < len(keys):
            bulk.insert_missing(Family, "key", sorted(keys - known.keys()))
            known = dict(Family.objects.filter(key__among=keys).values_list("key", "id"))
        return known

    def _write_students(self, families: dict[str, int]) -> None:
        gone = [pk for pk, person in self.people.items() if person.deleted]
        if gone:
            photos = StudentPhoto.objects.filter(student__in=gone)
            forget_files(photos.values_list("image", flat=True))
            Student.objects.filter(pk__in=gone).delete()
            for pk in gone:
                del self.people[pk]
        ids = bulk.reserve_ids(Student, len(self.newcomers))
        rows = []
        for pk, (change, new) in zip(ids, self.newcomers, strict=True):
            change.target = pk
            self.linked[new.external_id] = pk
            family = families[new.family] if new.family else None
            rows.append((pk, *new.values, new.name_key, family, Student.Status.CURRENT, new.grade_level))
            self.identities.append((self.integration_id, "student", new.external_id, pk, None))
        bulk.insert(Student, ("id", *_STUDENT_COLUMNS), rows)
        changed = [(pk, *_student_row(person, families)) for pk, person in self.people.items() if _differs(person)]
        bulk.update(Student, _STUDENT_COLUMNS, changed)

    def _write_identities(self) -> None:
        """Link what is new, and students found by state id, to this integration's ids."""
        wanted = {p.external_id: pk for pk, p in self.people.items() if p.external_id}
        known = hub.student_ids(self.integration_id, wanted)
        self.identities += [(self.integration_id, "student", e, pk, None) for e, pk in wanted.items() if e not in known]
        self.linked |= wanted
        bulk.insert(ExternalIdentity, ("integration", "entity", "external_id", "student", "contact"), self.identities)
        for pk, person in self.people.items():
            ids = ExternalIdentity.objects.filter(integration=self.integration_id, entity="student", student=pk)
            if person.speaker and ids.filter(external_id=person.speaker).update(silent=False):
                ids.exclude(external_id=person.speaker).update(silent=True)

    def _write_stays(self) -> None:
        ending: list[tuple[Any, ...]] = []
        starting: list[tuple[Any, ...]] = []
        inserts, deletes = [], []
        for pk, person in self.people.items():
            held = {stay.path: _stay_values(stay) for stay in person.held.stays}
            deletes += [stay_id for path, stay_id in person.stay_ids.items() if path not in person.stays]
            for path, stay in person.stays.items():
                if held.get(path) == stay:
                    continue
                row = tuple(day(stay[name]) if name in ("entered", "left") else stay[name] for name in STAY_FIELDS)
                if path in person.stay_ids:
                    (ending if stay["left"] or not stay["primary"] else starting).append((person.stay_ids[path], *row))
                else:
                    inserts.append((pk, *self._place(*stay_key(path)), *row))
        for change, new in self.newcomers:
            inserts += [(change.target, *self._place(*stay[:3]), *stay[3:]) for stay in new.stays]
        if deletes:
            Enrollment.objects.filter(pk__in=deletes).delete()
        bulk.update(Enrollment, STAY_FIELDS, ending)
        bulk.update(Enrollment, STAY_FIELDS, starting)
        bulk.insert(Enrollment, ("student", "school", "academic_year", "stint", *STAY_FIELDS), inserts)

    def _place(self, school: str, year: str, stint: int) -> tuple[int, int, int]:
        return self.places.schools[school], self.places.years[year], stint

    def _write_links(self) -> None:
        wanted = {e for p in self.people.values() for e in p.links if e not in p.held.links}
        wanted |= {link[0] for _, new in self.newcomers for link in new.links}
        wanted -= self.contact_ids.keys()
        if wanted:
            self.contact_ids |= hub.contact_ids(self.integration_id, wanted)
        updates, deletes = [], []
        adds: list[tuple[str, int | None, tuple[Any, ...]]] = []
        for pk, person in self.people.items():
            for external_id, link in person.links.items():
                row = tuple(link[name] for name in LINK_FIELDS)
                if external_id not in person.held.link_ids:
                    adds.append((person.external_id, pk, (external_id, *row)))
                elif link != person.held.links[external_id]:
                    updates.append((person.held.link_ids[external_id], *row))
            deletes += [link_id for e, link_id in person.held.link_ids.items() if e not in person.links]
        adds += [(new.external_id, change.target, link) for change, new in self.newcomers for link in new.links]
        here = self.contact_ids
        self.conflicts |= {external_id for external_id, _, link in adds if link[0] not in here}
        if deletes:
            StudentContact.objects.filter(pk__in=deletes).delete()
        bulk.update(StudentContact, LINK_FIELDS, updates)
        inserts = [(pk, here[link[0]], *link[1:]) for _, pk, link in adds if link[0] in here]
        bulk.insert(StudentContact, ("student", "contact", *LINK_FIELDS), inserts)

    def _write_allergies(self) -> None:
        deletes: list[tuple[Any, ...]] = []
        inserts = [(change.target, *pair) for change, new in self.newcomers for pair in new.allergies]
        for pk, person in self.people.items():
            before, after = _allergies(person.held), person.values["allergies"]
            deletes += [(pk, *pair) for pair in before if pair not in after]
            inserts += [(pk, *pair) for pair in after if pair not in before]
        columns = ("student", "allergy", "note")
        bulk.delete(StudentAllergy, columns, deletes)
        bulk.insert(StudentAllergy, columns, inserts)


_STUDENT_COLUMNS = (*STUDENT_FIELDS, "name_key", "family", "status", "grade_level")


def _person(external_id: str, held: hub.Held) -> _Person:
    return _Person(
        external_id=external_id,
        held=held,
        values={name: plain(held.values.get(name), name) for name in STUDENT_PATHS},
        family=held.family,
        stays={stay.path: _stay_values(stay) for stay in held.stays},
        stay_ids={stay.path: stay.id for stay in held.stays},
        links={external: dict(link) for external, link in held.links.items()},
    )


def _allergies(held: hub.Held) -> list[list[str]]:
    pairs: list[list[str]] = plain(held.values.get("allergies"), "allergies")
    return pairs


def _stay_values(stay: Any) -> dict[str, Any]:
    return {
        "grade_level": stay.grade_level,
        "entered": stay.entered.isoformat() if stay.entered else None,
        "left": stay.left.isoformat() if stay.left else None,
        "exit_reason": stay.exit_reason,
        "primary": stay.primary,
    }


def _split(path: str) -> tuple[str, str, str]:
    """Head, key and field of a path: ("contacts", "77", "order"); field "" means the whole object."""
    head, _, rest = path.partition(".")
    key, _, last = rest.rpartition(".")
    if head == "enrollments":
        return (head, path, "") if last.isdigit() else (head, path.rpartition(".")[0], last)
    return (head, key, last) if last in LINK_FIELDS and key else (head, rest, "")


def _get(person: _Person, path: str) -> Any:
    if path == "family":
        return person.family
    if "." not in path:
        return person.values[path]
    head, key, field = _split(path)
    found = (person.stays if head == "enrollments" else person.links).get(key)
    if found is None or not field:
        return found
    return found[field]


def _put(person: _Person, path: str, value: Any) -> None:
    if path == "family":
        person.family = value
        return
    if "." not in path:
        person.values[path] = value
        return
    head, key, field = _split(path)
    table = person.stays if head == "enrollments" else person.links
    if field:
        table[key][field] = value
    elif value is None:
        table.pop(key, None)
    else:
        table[key] = dict(value)


def _possible(stays: dict[str, dict[str, Any]]) -> bool:
    """Whether the database would take these stays: one current a school, one current primary, no backward dates."""
    current = [(stay_key(path)[0], stay["primary"]) for path, stay in stays.items() if stay["left"] is None]
    if len({school for school, _ in current}) < len(current) or sum(primary for _, primary in current) > 1:
        return False
    return all(not (s["left"] and s["entered"]) or s["left"] >= s["entered"] for s in stays.values())


def _standing(person: _Person) -> tuple[str, str]:
    """Status and grade that follow from the stays."""
    current = [stay for stay in person.stays.values() if stay["left"] is None]
    if current:
        main = next((stay for stay in current if stay["primary"]), current[0])
        return Student.Status.CURRENT, main["grade_level"]
    if not person.stays:
        return person.held.status, person.held.grade_level
    return Student.Status.FORMER, person.held.grade_level


def _differs(person: _Person) -> bool:
    held = person.held
    if person.family != held.family or _standing(person) != (held.status, held.grade_level):
        return True
    return any(person.values[name] != plain(held.values[name], name) for name in STUDENT_FIELDS)


def _student_row(person: _Person, families: dict[str, int]) -> tuple[Any, ...]:
    if person.family == person.held.family:
        family = person.held.family_id
    else:
        family = families[person.family] if person.family else None
    values = [person.values[name] for name in STUDENT_FIELDS]
    values[_BIRTH] = day(values[_BIRTH])
    key = name_key(person.values["first_name"], person.values["last_name"])
    return (*values, key, family, *_standing(person))


_BIRTH = STUDENT_FIELDS.index("birth_date")
