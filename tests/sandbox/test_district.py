"""The seeded district: deterministic, of the size asked for, and changed only through its mutators."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from integrations.sandbox.district import District


def facts(district: District) -> list[tuple[Any, ...]]:
    return [
        (
            child.id,
            child.state_id,
            child.first_name,
            child.last_name,
            child.birth_date,
            child.residence,
            child.family_key,
            [(row.school, row.student_number, row.grade, row.status) for row in child.enrollments],
            [(link.contact.id, link.contact.email, link.order) for link in child.contacts],
        )
        for child in district.children.values()
    ]


def test_same_arguments_give_the_same_district() -> None:
    assert facts(District.generate(students=300, seed=4)) == facts(District.generate(students=300, seed=4))


def test_another_seed_gives_another_district() -> None:
    assert facts(District.generate(students=300, seed=4)) != facts(District.generate(students=300, seed=5))


@pytest.mark.parametrize("students", [1, 40, 500, 2000])
def test_active_children_are_as_many_as_asked(students: int) -> None:
    district = District.generate(students=students)
    active = district.active_children()
    assert len(active) == students
    assert all(sum(row.status == "active" and row.primary for row in child.enrollments) == 1 for child in active)


def test_schools_hold_about_650_children_when_not_told_otherwise() -> None:
    district = District.generate(students=13_000)
    sizes = [len(district.children_in(school.number)) for school in district.real_schools]
    assert len(sizes) == 20
    assert min(sizes) > 400
    assert max(sizes) <= 1000


def test_children_are_in_schools_that_teach_their_grade() -> None:
    district = District.generate(students=3000, schools=6)
    schools = {school.number: school for school in district.real_schools}
    assert len(schools) == 6
    for child in district.active_children():
        row = child.primary
        assert row is not None
        assert schools[row.school].low_grade <= row.grade <= schools[row.school].high_grade


def test_student_numbers_are_unique_inside_each_school() -> None:
    district = District.generate(students=2000)
    for school in district.schools:
        numbers = [row.student_number for _, row in district.rows(school.number)]
        assert numbers == sorted(set(numbers))


def test_clean_district_has_only_ordinary_active_rows() -> None:
    district = District.generate(students=400, messy=False)
    assert len(district.children) == 400
    for child in district.children.values():
        assert len(child.enrollments) == 1
        assert child.enrollments[0].inactive_code == ""
        assert child.family_key
        assert child.state_id
        assert child.races
        assert child.gender in "FM"
        assert child.residence.state == "CA"
        assert child.home_phone.isdigit()
        assert len(child.home_phone) == 10
        assert -1 <= child.enrollments[0].grade <= 12


def test_messy_district_holds_each_untidy_value() -> None:
    district = District.generate(students=500)
    children = list(district.children.values())
    rows = [row for child in children for row in child.enrollments]
    assert {row.status for row in rows} == {"active", "left", "future"}
    assert any(row.status == "left" and row.left is None for row in rows)
    assert {" ", "S"} <= {row.program for row in rows}
    assert {"N", "X", ""} <= {child.gender for child in children}
    assert {row.grade for row in rows} >= set(range(-2, 13))
    assert sum(bool(child.hispanic) and not child.races for child in children) > len(children) / 4
    assert any(child.family_key == 0 for child in children)
    assert any(len(child.last_name) == 60 for child in children)
    assert any("'" in child.last_name for child in children)
    assert any(child.residence.state == "Ca" for child in children)
    assert any(child.residence.postal_code.startswith("0") for child in children)
    assert any(child.state_id.startswith("00") for child in children)
    assert any(
        child.birth_date.month == 2 and child.birth_date.day == 29
        for child in District.generate(students=2000).children.values()
    )
    shared = [child.home_phone for child in children]
    assert shared.count("5590000000") > 5


def test_siblings_share_the_same_contacts() -> None:
    district = District.generate(students=200, contacts_per_student=3)
    homes: dict[int, list[list[int]]] = {}
    for child in district.children.values():
        homes.setdefault(child.household, []).append([id(link.contact) for link in child.contacts])
    assert any(len(home) > 1 for home in homes.values())
    assert all(home.count(home[0]) == len(home) and len(home[0]) == 3 for home in homes.values())


def test_change_percent_changes_exactly_that_share() -> None:
    district = District.generate(students=1000)
    before = {child.id: (child.home_phone, child.residence) for child in district.children.values()}
    changed = district.change_percent(3, seed=9)
    assert len(changed) == 30
    assert changed == [
        child.id for child in district.children.values() if (child.home_phone, child.residence) != before[child.id]
    ]


def test_moved_child_keeps_an_inactive_row_in_the_old_school() -> None:
    district = District.generate(students=100, messy=False)
    child = district.active_children()[0]
    old = child.primary
    assert old is not None
    new = district.move(
        child.id, next(school.number for school in district.real_schools if school.number != old.school)
    )
    assert (old.status, child.primary, child.status) == ("left", new, "active")
    assert child in district.children_in(new.school)
    assert child not in district.children_in(old.school)


def test_leaving_child_keeps_its_rows() -> None:
    district = District.generate(students=100, messy=False)
    child = district.leave(41_000_001, date(2026, 11, 3), "X")
    assert child.status == "left"
    assert [(row.left, row.inactive_code) for row in child.enrollments] == [(date(2026, 11, 3), "X")]


def test_removed_child_vanishes_and_comes_back_as_it_was() -> None:
    district = District.generate(students=100, messy=False)
    before = facts(district)
    child = district.remove(41_000_001)
    school = child.enrollments[0].school
    assert all(other.id != child.id for other, _ in district.rows(school))
    district.restore_child(child)
    assert sorted(facts(district)) == sorted(before)
    assert any(other is child for other, _ in district.rows(school))


def test_every_mutator_moves_the_version_of_the_schools_it_touches_only() -> None:
    district = District.generate(students=200, messy=False)
    child = district.active_children()[0]
    here = child.enrollments[0].school
    there = next(school.number for school in district.real_schools if school.number != here)
    seen = [(district.version, district.school_version(here))]
    district.change(child.id, residence_line1="1 New St", first_name="Ana")
    seen.append((district.version, district.school_version(here)))
    district.change_enrollment(child.id, grade=3)
    seen.append((district.version, district.school_version(here)))
    district.change_contact(child.contacts[0].contact.id, address_city="Elsewhere")
    seen.append((district.version, district.school_version(here)))
    district.add(school=here)
    seen.append((district.version, district.school_version(here)))
    assert seen == sorted(set(seen))
    assert district.school_version(there) == sum(
        1
        for other in district.children.values()
        for link in other.contacts
        if link.contact is child.contacts[0].contact and other.enrollments[0].school == there
    )
    assert (child.first_name, child.residence.line1) == ("Ana", "1 New St")
    assert child.contacts[0].contact.address.city == "Elsewhere"


def test_added_child_is_active_in_its_school() -> None:
    district = District.generate(students=100, messy=False)
    child = district.add(first_name="Ada", school=district.real_schools[1].number, grade=8)
    row = child.primary
    assert row is not None
    assert (row.grade, row.status) == (8, "active")
    assert child in district.children_in(district.real_schools[1].number)
    assert len(district.active_children()) == 101


def test_unknown_field_is_refused_by_name() -> None:
    district = District.generate(students=10)
    with pytest.raises(TypeError, match="shoe_size"):
        district.change(41_000_001, shoe_size=4)
