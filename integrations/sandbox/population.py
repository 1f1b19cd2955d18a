"""Generates the people of a district: families, their children, contacts and enrollments.

Everything is drawn from one seeded generator. The untidy values of real districts are laid on by position
(every n-th child or family), so that even a small district holds each of them.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from integrations.sandbox import names
from integrations.sandbox.district import Address, Child, Contact, ContactLink, Enrollment, School

PLACEHOLDER_PHONE = "5590000000"

# Aeries' own order of magnitude: a tenth of the rows is neither active nor of this year.
LEFT_CODES = "NNNNIIIXXXBBOLUGKSFE"

CHILD_QUIRKS: tuple[tuple[int, int, dict[str, Any]], ...] = (
    (61, 2, {"last_name": "O'Shaughnessy-D'Angelo"}),
    (67, 5, {"first_name": "José María", "last_name": "Núñez Peña"}),
    (71, 8, {"first_name": "Zoë", "last_name": "Þórsdóttir"}),
    (73, 11, {"middle_name": "Nguye\u0302\u0303n"}),
    (79, 14, {"last_name": names.LONG_NAME}),
    (83, 17, {"first_name": "\u0644\u064a\u0644\u0649", "last_name": "\u062d\u062f\u0627\u062f"}),
    (89, 20, {"first_name": "  Marlo ", "last_name": "Trailing  "}),
    (97, 23, {"last_name": "McDONALD", "suffix": "III"}),
    (53, 25, {"middle_name": "", "preferred_first_name": "Bee"}),
    (101, 27, {"home_phone": ""}),
    (47, 29, {"home_phone": PLACEHOLDER_PHONE}),
    (103, 31, {"gender": "N"}),
    (107, 33, {"gender": "X"}),
    (109, 35, {"gender": ""}),
    (29, 4, {"races": ["700", "400"]}),
    (113, 37, {"races": ["100", "600", "205"]}),
    (59, 38, {"races": ["999"]}),
    (127, 39, {"hispanic": None, "races": []}),
    (3, 1, {"hispanic": True, "races": []}),
    (131, 41, {"home_language": ""}),
    (137, 43, {"home_language": " "}),
    (139, 45, {"home_language": "85"}),
    (37, 7, {"state_id": ""}),
    (43, 9, {"district_entered": None}),
    (149, 47, {"email": ""}),
    (151, 49, {"email": "Mixed.Case@Students.Example.ORG"}),
    (41, 13, {"allergies": "Peanut, Tree nuts"}),
    (157, 51, {"allergies": "bee stings; LATEX / unknown berry"}),
    (163, 53, {"last_name": "Miller \u201cMo\u201d"}),
)


@dataclass(slots=True)
class Population:
    """What `populate` made."""

    schools: list[School] = field(default_factory=list)
    children: dict[int, Child] = field(default_factory=dict)
    contacts: dict[int, Contact] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """State of one generation: the result so far, the random source and the running numbers.

    block: keeps the ids of districts of different seeds apart.
    """

    made: Population
    rng: random.Random
    messy: bool
    year: int
    contacts_per_student: int
    bands: list[list[School]]
    block: int = 0
    student_numbers: dict[int, int] = field(default_factory=dict)
    household: int = 0
    first_state_id: int = 1_234_500_000
    named: set[tuple[str, str, date]] = field(default_factory=set)

    def first_name(self, choices: Sequence[str], last_name: str, birth: date) -> str:
        """A first name that no child of the same last name and birth date has yet."""
        while True:
            first = self.rng.choice(choices)
            if (first, last_name, birth) not in self.named:
                self.named.add((first, last_name, birth))
                return first

    def student_number(self, school: int) -> int:
        """The next free student number of a school; there are gaps."""
        last = self.student_numbers.get(school, 0)
        self.student_numbers[school] = last + (3 if last % 20 == 17 else 1)
        return self.student_numbers[school]


def populate(
    *, students: int, seed: int, schools: int | None, messy: bool, year: int, contacts_per_student: int
) -> Population:
    """Return schools, children and contacts; see `District.generate` for the arguments."""
    real = schools or (max(2, students // 650) if students >= 100 else 2)
    made = Population(schools=make_schools(real, name=5 * (seed - 1)))
    bands = [
        [
            school
            for school in made.schools
            if school.kind == "school" and school.active and school.low_grade <= grade <= school.high_grade
        ]
        for grade in range(-2, 13)
    ]
    draft = Draft(made, random.Random(seed), messy, year, contacts_per_student, bands, (seed - 1) % 50)
    total = students + (round(students * 0.1) if messy else 0)
    gone = set(draft.rng.sample(range(total), total - students))
    while len(made.children) < total:
        add_family(draft, min(draft.rng.choice((1, 1, 2, 2, 3, 4)), total - len(made.children)))
    active = []
    for position, child in enumerate(made.children.values()):
        if position in gone:
            make_inactive(draft, child, position)
        else:
            active.append(child)
    if messy:
        untidy(draft, active)
    return made


def make_schools(count: int, *, name: int = 0) -> list[School]:
    """`count` real schools, half of them elementary, and the entries vendors list that are no schools.

    name: with which name of the list to begin.
    """
    step = 10 if count <= 85 else 5 if count <= 170 else 1
    first = 110 if step > 1 else 1001
    elementary = max(1, round(count * 0.5)) if count != 3 else 1
    middle = max(1, round(count * 0.21)) if count > 2 else 0
    found = []
    for index in range(count):
        kind, low, high = "Elementary School", -1, 5
        if count == 1:
            kind, low, high = "Academy", -1, 12
        elif count == 2:
            kind, low, high = ("Elementary School", -1, 5) if index == 0 else ("Secondary School", 6, 12)
        elif index >= elementary + middle:
            kind, low, high = "High School", 9, 12
        elif index >= elementary:
            kind, low, high = "Middle School", 6, 8
        if low == -1 and index % 3 == 0:
            low = -2
        found.append(_school(first + step * index, index, kind, low, high, name))
    for number, title, kind in (
        (0, "Cedar Flat Unified District Office", "district_office"),
        (99, "Transfer School", "transfer"),
        (100, "ZZZ Template Elementary", "template"),
        (998, "Summer School", "summer"),
        (999, "Inactive Students", "inactive"),
        (999_999, "Graduated Students", "graduated"),
    ):
        found.append(School(number, 7000 + number % 1000, title, -2, 12, kind=kind))
    closed = first + step * count
    found.append(School(closed, 7999, "Old Mill School (closed)", -1, 5, active=False))
    return sorted(found, key=lambda school: school.number)


def _school(number: int, index: int, kind: str, low: int, high: int, name: int) -> School:
    plain = names.SCHOOL_NAMES[(index + name) % len(names.SCHOOL_NAMES)]
    again = index // len(names.SCHOOL_NAMES)
    city, postal_code = names.CITIES[index % len(names.CITIES)]
    return School(
        number,
        41 + 3 * index,
        f"{plain} {kind}" + (f" {again + 1}" if again else ""),
        low,
        high,
        address=Address(f"{100 + index} School Rd", "", city, "CA", postal_code, ""),
        phone=f"559666{index:04d}",
        principal=f"{names.GIRLS[index % 60]} {names.LAST[index % 120]}",
    )


def add_family(draft: Draft, size: int) -> None:
    """Add one household of `size` children who share surname, address, phone and contacts."""
    rng, draft.household = draft.rng, draft.household + 1
    household = draft.household
    last_name = rng.choice(names.LAST)
    city, postal_code = rng.choice(names.CITIES)
    unit = f"Apt {rng.randrange(1, 60)}" if household % 6 == 0 else ""
    home = Address(
        f"{rng.randrange(10, 9990)} {rng.choice(names.STREETS)} {rng.choice(names.WAYS)}",
        unit,
        city,
        "CA",
        postal_code,
        "",
    )
    mail = replace(home, line1=f"PO Box {rng.randrange(10, 9999)}", line2="") if household % 15 == 4 else home
    if draft.messy:
        home = _untidy_address(home, household)
    phone = f"559{2_000_000 + household:07d}"
    grown = _contacts(draft, last_name, home, phone)
    spot = rng.random()
    twins = draft.messy and size == 2 and household % 23 == 0
    grade = rng.randrange(-1, 13)
    birth = _birth_date(draft, grade)
    key = 0 if draft.messy and household % 7 == 3 else 1000 + household
    for place in range(size):
        if place and not twins:
            grade = rng.randrange(-1, 13)
            birth = _birth_date(draft, grade)
        child = _child(draft, last_name, birth, grade, spot)
        child.residence, child.mailing, child.home_phone = home, mail, phone
        child.family_key, child.household = key, household
        child.contacts = _links(draft, grown, household)
        child.parent_guardian = _guardian(grown)


def _child(draft: Draft, last_name: str, birth: date, grade: int, spot: float) -> Child:
    rng, position = draft.rng, len(draft.made.children)
    if draft.messy and position % 90 == 6:
        grade, birth = -2, _birth_date(draft, -2)
    girl = rng.random() < 0.5
    band = draft.bands[grade + 2]
    school = band[int(spot * len(band))]
    number = 41_000_000 + draft.block * 1_000_000 + position * 3 + 1
    state_id = f"{1_200_000_000 + draft.block * 10_000_000 + position * 37:010d}"
    if draft.messy and position % 5 == 0:
        state_id = f"00{state_id[2:]}"
    entered = date(draft.year, 8, 13)
    first_grade = draft.year - max(grade, 0) % 6
    child = Child(
        id=number,
        dcid=3001 + position * 2,
        state_id=state_id,
        first_name=draft.first_name(names.GIRLS if girl else names.BOYS, last_name, birth),
        middle_name=rng.choice(names.GIRLS if girl else names.BOYS) if position % 3 else "",
        last_name=last_name,
        birth_date=birth,
        gender="F" if girl else "M",
        hispanic=position % 3 == 1,
        races=[rng.choice(("700", "700", "600", "400", "201", "205", "204", "100", "301"))],
        home_language=rng.choice(("00", "00", "00", "01", "01", "02", "04")),
        email=f"s{number}@students.example.org",
        district_entered=date(first_grade, 8, 13),
        mobile_phone=f"661{number % 10_000_000:07d}" if grade >= 7 else "",
    )
    child.correspondence_language = child.home_language if child.home_language == "01" else "00"
    child.enrollments = [
        Enrollment(
            school=school.number,
            student_number=draft.student_number(school.number),
            grade=grade,
            entered=entered,
            entry_code="E155",
        )
    ]
    draft.made.children[child.id] = child
    return child


def _birth_date(draft: Draft, grade: int) -> date:
    start = date(draft.year - 6 - grade, 9, 2)
    leap = start.year + 1
    if draft.messy and calendar.isleap(leap) and draft.household % 31 == 0:
        return date(leap, 2, 29)
    return start + timedelta(days=draft.rng.randrange(365))


def _untidy_address(home: Address, household: int) -> Address:
    if household % 41 == 5:
        return replace(home, state="Ca")
    if household % 83 == 6:
        return replace(home, state="")
    if household % 37 == 7:
        return replace(home, city="Ashburnham", state="MA", postal_code="01430", zip_ext="0120")
    if household % 29 == 8:
        return replace(home, line1=f"{home.line1} ")
    if household % 59 == 9:
        return replace(home, city=home.city.upper())
    if household % 97 == 10:
        return Address()
    return home


def _contacts(draft: Draft, last_name: str, home: Address, phone: str) -> list[Contact]:
    rng, found = draft.rng, []
    for place in range(draft.contacts_per_student):
        number = len(draft.made.contacts) + 9001
        mother = place % 2 == 0
        first = rng.choice(names.GIRLS if mother else names.BOYS)
        family = last_name if place < 2 and rng.random() < 0.8 else rng.choice(names.LAST)
        contact = Contact(
            id=number,
            first_name=first,
            last_name=family,
            prefix="Ms" if mother else "Mr",
            email=f"{first}.{family}.{number}@mail.example.org".lower(),
            home_phone=phone if place < 2 else "",
            mobile_phone=f"559{7_000_000 + number:07d}",
            work_phone=f"209{4_000_000 + number:07d}" if number % 3 == 0 else "",
            address=home if place < 2 else Address(),
            mailing_name=f"{first} {family}",
        )
        draft.made.contacts[number] = contact
        found.append(contact)
    if draft.messy and found:
        _untidy_contacts(draft.household, found)
    return found


def _untidy_contacts(household: int, found: list[Contact]) -> None:
    last = found[-1]
    if household % 17 == 2:
        last.first_name = last.last_name = last.email = ""
        last.mailing_name = "M/M A Abbott"
    elif household % 53 == 3:
        last.first_name = last.last_name = last.email = last.mailing_name = ""
        last.home_phone = last.mobile_phone = last.work_phone = ""
        last.address = Address()
    elif household % 19 == 4:
        found[0].email = found[0].email.title()
    elif household % 11 == 5:
        found[0].mobile_phone = ""
        found[0].home_phone = PLACEHOLDER_PHONE


def _links(draft: Draft, grown: list[Contact], household: int) -> list[ContactLink]:
    kinds = ("10", "11", "20", "23", "25")
    links = [
        ContactLink(
            contact=contact,
            sequence=place + 1,
            order=place + 1,
            relationship=kinds[min(place, 4)],
            lives_with=place < 2,
            emergency=place >= 2,
            receives_mail=place < 2,
        )
        for place, contact in enumerate(grown)
    ]
    if not draft.messy or len(links) < 2:
        return links
    if household % 13 == 1:
        links[1].order = links[0].order
    if household % 18 == 2:
        links[0].sequence, links[1].sequence = links[1].sequence + 4, links[0].sequence
    if household % 27 == 3:
        links[1].restricted, links[1].lives_with, links[1].receives_mail = True, False, False
    if household % 22 == 4:
        links[1].relationship, links[1].lives_with = "13", None
    if household % 43 == 6:
        links[1].relationship = "77"
    return links


def _guardian(grown: list[Contact]) -> str:
    return " & ".join(f"{one.first_name[:1]} {one.last_name}" for one in grown[:2] if one.last_name)[:50]


def make_inactive(draft: Draft, child: Child, position: int) -> None:
    """Turn a child into one who left, or (every second) who is pre-enrolled for next year."""
    row = child.enrollments[0]
    if position % 2:
        row.status, row.inactive_code, row.entered = "future", "*", date(draft.year + 1, 8, 12)
        return
    code = LEFT_CODES[position // 2 % len(LEFT_CODES)]
    row.status, row.inactive_code, row.exit_code = "left", code, "T180"
    # Of the lettered rows about 40 % hold no leave date; a letter alone says that the child left.
    row.left = None if position % 5 < 2 else date(draft.year, 9, 1 + position % 28)
    if position % 20 == 0:
        row.school, row.student_number = 999, draft.student_number(999)


def untidy(draft: Draft, active: list[Child]) -> None:
    """Lay the untidy values of real districts on the active children, and second rows on some of them."""
    for every, offset, values in CHILD_QUIRKS:
        for child in active[offset::every]:
            for name, value in values.items():
                setattr(child, name, list(value) if isinstance(value, list) else value)
    for child in active[19::199]:
        child.enrollments[0].program = " "
    for place, child in enumerate(active[33::100]):
        other = _other_school(draft, child)
        child.enrollments.append(
            Enrollment(
                other,
                draft.student_number(other),
                child.enrollments[0].grade,
                date(draft.year, 8, 20),
                program="SSSSTCH"[place % 7],
                entry_code="E155",
            )
        )
    for place, child in enumerate(active[12::50]):
        other = _other_school(draft, child)
        old = Enrollment(
            other,
            draft.student_number(other),
            child.enrollments[0].grade,
            date(draft.year, 8, 13),
            None if place % 3 == 0 else date(draft.year, 8, 28),
            "left",
            "N",
            "",
            "E155",
            "T160",
        )
        child.enrollments.insert(0, old)
    former = [child for child in draft.made.children.values() if child.status == "left"]
    if len(active) >= 1000 and former:
        one, other_child = active[500], former[0]
        other_child.first_name, other_child.last_name = one.first_name, one.last_name
        other_child.birth_date, other_child.middle_name = one.birth_date, one.middle_name


def _other_school(draft: Draft, child: Child) -> int:
    taken = {row.school for row in child.enrollments}
    band = draft.bands[child.enrollments[-1].grade + 2]
    fitting = [school.number for school in band if school.number not in taken]
    others = fitting or [
        school.number
        for school in draft.made.schools
        if school.kind == "school" and school.active and school.number not in taken
    ]
    return others[child.id % len(others)] if others else child.enrollments[0].school
