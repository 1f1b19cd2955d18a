"""The district every sandbox server shows: schools, children, their enrollments, contacts and households.

The state is one mutable object, the same for every vendor served in a process; a vendor only renders it.
Nothing here is random: a district comes from `District.generate` and then changes only through its mutators.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Self

NON_SCHOOLS = ("district_office", "transfer", "template", "summer", "inactive", "graduated")


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `postal_code` is five digits and may start with zeros, `zip_ext` four or blank."""

    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    zip_ext: str = ""


@dataclass(slots=True)
class School:
    """One entry of a vendor's list of schools; `kind` is "school" or one of NON_SCHOOLS."""

    number: int
    dcid: int
    name: str
    low_grade: int
    high_grade: int
    active: bool = True
    kind: str = "school"
    address: Address = field(default_factory=Address)
    phone: str = ""
    principal: str = ""


@dataclass(slots=True)
class Enrollment:
    """One row of a child in a school. `grade` -2..18, `status` "active", "left" or "future".

    `inactive_code` is the Aeries status letter ("" active, "*" pre-enrolled); `program` is the Aeries student
    program: blank (or one space) for the main school, a letter for a second, concurrent school.
    """

    school: int
    student_number: int
    grade: int
    entered: date | None = None
    left: date | None = None
    status: str = "active"
    inactive_code: str = ""
    program: str = ""
    entry_code: str = ""
    exit_code: str = ""

    @property
    def primary(self) -> bool:
        """Whether this is a row in a main school, whatever its status."""
        return not self.program.strip()


@dataclass(slots=True)
class Contact:
    """A grown-up; siblings share the same object."""

    id: int
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    prefix: str = ""
    suffix: str = ""
    email: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    work_phone: str = ""
    address: Address = field(default_factory=Address)
    mailing_name: str = ""


@dataclass(slots=True)
class ContactLink:
    """What a contact is to one child; `relationship` is the two-digit Aeries code."""

    contact: Contact
    sequence: int
    order: int
    relationship: str
    lives_with: bool | None = None
    emergency: bool = False
    receives_mail: bool = False
    restricted: bool = False


@dataclass(slots=True)
class Child:
    """One child. `hispanic` None means not stated; `races` are CALPADS codes; `family_key` 0 is no family."""

    id: int
    dcid: int
    state_id: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    suffix: str = ""
    preferred_first_name: str = ""
    preferred_last_name: str = ""
    birth_date: date = date(2015, 1, 1)
    gender: str = ""
    hispanic: bool | None = None
    races: list[str] = field(default_factory=list)
    home_language: str = "00"
    correspondence_language: str = "00"
    email: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    residence: Address = field(default_factory=Address)
    mailing: Address = field(default_factory=Address)
    family_key: int = 0
    household: int = 0
    district_entered: date | None = None
    parent_guardian: str = ""
    allergies: str = ""
    contacts: list[ContactLink] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    revision: int = 0

    @property
    def primary(self) -> Enrollment | None:
        """The active row in the main school; without one the newest row of a main school, else None."""
        for row in self.enrollments:
            if row.status == "active" and row.primary:
                return row
        return next((row for row in reversed(self.enrollments) if row.primary), None)

    @property
    def status(self) -> str:
        """ "active", "future" or "left", as the primary row says."""
        return self.primary.status if self.primary else "left"


@dataclass(frozen=True, slots=True)
class Touch:
    """One change of one child: `at` in UTC, `area` student, contact or enrollment, (school, number) rows."""

    at: datetime
    area: str
    child_id: int
    rows: tuple[tuple[int, int], ...]


@dataclass(eq=False)
class District:
    """The state of one district. `year` is the autumn of the school year. Mutators are thread-safe."""

    year: int = 2026
    seed: int = 1
    name: str = "Cedar Flat Unified School District"
    schools: list[School] = field(default_factory=list)
    children: dict[int, Child] = field(default_factory=dict)
    contacts: dict[int, Contact] = field(default_factory=dict)
    version: int = 0
    changes: list[Touch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._school_versions: dict[int, int] = {}
        self._members: dict[int, dict[int, Child]] = {}
        self._rows: dict[int, tuple[int, list[tuple[Child, Enrollment]]]] = {}
        for child in self.children.values():
            self._index(child)

    @classmethod
    def generate(
        cls,
        students: int = 500,
        seed: int = 1,
        schools: int | None = None,
        contacts_per_student: int = 2,
        messy: bool = True,
        year: int = 2026,
    ) -> Self:
        """Return the district of exactly `students` active children; same arguments, same district.

        `schools` is the number of real schools (None: one per 650 children, at least two). With `messy` there
        are inactive and future rows besides and the untidy values real districts hold; without it only clean,
        active rows.
        """
        from integrations.sandbox.population import populate

        made = populate(
            students=students,
            seed=seed,
            schools=schools,
            messy=messy,
            year=year,
            contacts_per_student=contacts_per_student,
        )
        return cls(year=year, seed=seed, schools=made.schools, children=made.children, contacts=made.contacts)

    @property
    def real_schools(self) -> list[School]:
        """The active schools children go to, without district office, transfer, graduated and the like."""
        return [school for school in self.schools if school.kind == "school" and school.active]

    def school(self, number: int) -> School | None:
        """The school with this number, or None."""
        return next((school for school in self.schools if school.number == number), None)

    def child(self, child_id: int) -> Child:
        """The child with this id; KeyError when there is none."""
        return self.children[child_id]

    def active_children(self) -> list[Child]:
        """Children with an active row in a main school, in the order they joined."""
        with self.lock:
            return [child for child in self.children.values() if child.status == "active"]

    def children_in(self, school: int) -> list[Child]:
        """Children with an active row (main or concurrent) in the school, by student number."""
        return [child for child, row in self.rows(school) if row.status == "active"]

    def rows(self, school: int) -> list[tuple[Child, Enrollment]]:
        """Every row of the school, inactive ones included, by student number; do not change the list."""
        with self.lock:
            version = self.school_version(school)
            cached = self._rows.get(school)
            if cached is None or cached[0] != version:
                found = [
                    (child, row)
                    for child in self._members.get(school, {}).values()
                    for row in child.enrollments
                    if row.school == school
                ]
                found.sort(key=lambda pair: (pair[1].student_number, pair[0].id))
                cached = self._rows[school] = (version, found)
            return cached[1]

    def school_version(self, school: int) -> int:
        """A number that grows whenever a row of the school, or a contact of one of its children, changes."""
        return self._school_versions.get(school, 0)

    def change(self, child_id: int, **values: Any) -> Child:
        """Set fields of a child. `residence_line1=...` and the like replace one part of an address."""
        with self.lock:
            child = self.children[child_id]
            names = {entry.name for entry in fields(Child)}
            for name, value in values.items():
                if name in names:
                    setattr(child, name, value)
                    continue
                which, _, part = name.partition("_")
                if which not in ("residence", "mailing") or not part:
                    raise TypeError(f"a child has no field {name!r}")
                setattr(child, which, replace(getattr(child, which), **{part: value}))
            self.touch(child, area="student")
            return child

    def change_enrollment(self, child_id: int, school: int | None = None, **values: Any) -> Enrollment:
        """Set fields of the child's row in `school` (None: the primary row)."""
        with self.lock:
            child = self.children[child_id]
            row = (
                child.primary
                if school is None
                else next((row for row in child.enrollments if row.school == school), None)
            )
            if row is None:
                raise KeyError(f"child {child_id} has no row in school {school}")
            self._bump(child)
            for name, value in values.items():
                if name not in Enrollment.__slots__:
                    raise TypeError(f"an enrollment has no field {name!r}")
                setattr(row, name, value)
            self.touch(child, area="enrollment")
            return row

    def change_contact(self, contact_id: int, **values: Any) -> Contact:
        """Set fields of a contact, as seen by each of its children. `address_line1=...` replaces one part."""
        with self.lock:
            contact = self.contacts[contact_id]
            for name, value in values.items():
                if name.startswith("address_"):
                    name, value = (
                        "address",
                        replace(contact.address, **{name.removeprefix("address_"): value}),
                    )
                if name not in Contact.__slots__:
                    raise TypeError(f"a contact has no field {name!r}")
                setattr(contact, name, value)
            for child in self.children.values():
                if any(link.contact is contact for link in child.contacts):
                    self.touch(child, area="contact")
            return contact

    def move(self, child_id: int, to_school: int, on: date | None = None) -> Enrollment:
        """Move a child's main enrollment: the old row ends on `on` (default 1 October), a new one opens."""
        with self.lock:
            child = self.children[child_id]
            old, on = child.primary, on or date(self.year, 10, 1)
            if old is None:
                raise KeyError(f"child {child_id} has no primary enrollment to move")
            old.status, old.left, old.inactive_code, old.exit_code = "left", on, "N", "T160"
            return self._enter(child, to_school, grade=old.grade, entered=on)

    def enroll(self, child_id: int, school: int, program: str = "S") -> Enrollment:
        """Open a further active row; a blank program makes it a main school, a letter a concurrent one."""
        with self.lock:
            child = self.children[child_id]
            grade = child.primary.grade if child.primary else 0
            return self._enter(child, school, grade=grade, entered=date(self.year, 9, 1), program=program)

    def leave(self, child_id: int, on: date | None = None, code: str = "T") -> Child:
        """End every active row on `on` (default 1 October); the rows stay in the district as left."""
        with self.lock:
            child = self.children[child_id]
            for row in child.enrollments:
                if row.status == "active":
                    row.status, row.left = "left", on or date(self.year, 10, 1)
                    row.inactive_code, row.exit_code = code, "T180"
            self.touch(child, area="enrollment")
            return child

    def remove(self, child_id: int) -> Child:
        """Make a child vanish wholly and return it; `restore_child` brings it back."""
        with self.lock:
            child = self.children.pop(child_id)
            self._bump(child)
            for members in self._members.values():
                members.pop(child_id, None)
            return child

    def restore_child(self, child: Child) -> Child:
        """Bring back a child that `remove` returned, as it was."""
        with self.lock:
            self.children[child.id] = child
            self.touch(child, area="student")
            return child

    def add(self, **values: Any) -> Child:
        """Add a child and return it. Fields of Child; `school`, `grade`, `status`, `program` of its row."""
        with self.lock:
            school = values.pop("school", None) or self.real_schools[0].number
            found = self.school(school)
            row = {
                "grade": values.pop("grade", max(found.low_grade, 0) if found else 0),
                "status": values.pop("status", "active"),
                "program": values.pop("program", ""),
            }
            number = max(self.children, default=41_000_000) + 1
            dcid = max((child.dcid for child in self.children.values()), default=3000) + 2
            child = Child(
                **{
                    "id": number,
                    "dcid": dcid,
                    "first_name": "Newly",
                    "last_name": f"Arrived{number}",
                    "gender": "F",
                    "hispanic": False,
                    "races": ["700"],
                    "state_id": str(1_900_000_000 + number % 10_000_000),
                    "district_entered": date(self.year, 8, 13),
                    **values,
                }
            )
            self.children[child.id] = child
            for link in child.contacts:
                self.contacts[link.contact.id] = link.contact
            if not child.enrollments:
                entered = date(self.year + (row["status"] == "future"), 8, 13)
                self._enter(child, school, entered=entered, **row)
            self.touch(child, area="student")
            return child

    def change_percent(self, percent: float, seed: int = 1) -> list[int]:
        """Change one ordinary field (phone or street) of exactly that share of active children; their ids."""
        rng = random.Random(seed)
        with self.lock:
            active = self.active_children()
            chosen = rng.sample(active, round(len(active) * percent / 100))
            for child in chosen:
                number = rng.randrange(10_000_000)
                if number % 2:
                    self.change(child.id, home_phone=f"530{number:07d}")
                else:
                    self.change(child.id, residence_line1=f"{number} Changed Way")
            return sorted(child.id for child in chosen)

    def roll_over(self, newcomers: int | None = None) -> list[int]:
        """Go into the next school year, see `new_year.roll_over`; the ids of the new children."""
        from integrations.sandbox import new_year

        return new_year.roll_over(self, newcomers=newcomers)

    def forget_rows(self, child: Child) -> None:
        """Take a child off the lists of its schools, before its rows are replaced; `touch` puts it on again."""
        with self.lock:
            self._bump(child)
            for members in self._members.values():
                members.pop(child.id, None)

    def touch(self, child: Child, *, area: str = "student") -> None:
        """Make known that a child's data changed; for tests that set attributes themselves."""
        with self.lock:
            self._index(child)
            self._bump(child)
            rows = tuple((row.school, row.student_number) for row in child.enrollments)
            self.changes.append(Touch(datetime.now(UTC), area, child.id, rows))

    def _bump(self, child: Child) -> None:
        self.version += 1
        child.revision += 1
        for row in child.enrollments:
            self._school_versions[row.school] = self._school_versions.get(row.school, 0) + 1

    def _index(self, child: Child) -> None:
        for row in child.enrollments:
            self._members.setdefault(row.school, {})[child.id] = child

    def _enter(
        self,
        child: Child,
        school: int,
        *,
        grade: int,
        entered: date,
        program: str = "",
        status: str = "active",
    ) -> Enrollment:
        if self.school(school) is None:
            raise KeyError(f"the district has no school {school}")
        number = max((row.student_number for _, row in self.rows(school)), default=0) + 1
        row = Enrollment(
            school=school,
            student_number=number,
            grade=grade,
            entered=entered,
            program=program,
            status=status,
            inactive_code="*" if status == "future" else "",
            entry_code="E155",
        )
        child.enrollments.append(row)
        self.touch(child, area="enrollment")
        return row
