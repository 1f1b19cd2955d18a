"""Who looks like one child twice."""

from __future__ import annotations

import datetime as dt

import pytest

from students.duplicates import find_duplicates, group, preselected
from students.models import NotDuplicate, Student
from tests.factories.students import StudentFactory

pytestmark = pytest.mark.django_db


def found() -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    return [(one.students, one.why) for one in find_duplicates(Student.objects.all())]


def test_same_name_and_birth_date_are_a_group_however_written() -> None:
    one = StudentFactory.create(first_name="José", last_name="Núñez")
    other = StudentFactory.create(first_name="JOSE", last_name="Nunez ")
    StudentFactory.create(first_name="José", last_name="Núñez", birth_date=dt.date(2016, 3, 4))
    assert found() == [((one.pk, other.pk), ("same name and birth date",))]


def test_namesakes_without_a_birth_date_are_no_group() -> None:
    for _ in range(2):
        StudentFactory.create(first_name="Ana", last_name="Ruiz", birth_date=None)
    assert found() == []


def test_twins_are_no_group() -> None:
    for first_name in ("Ana", "Eva"):
        StudentFactory.create(first_name=first_name, last_name="Ruiz")
    assert found() == []


def test_state_ids_are_compared_without_the_zeros_in_front() -> None:
    one, other = (StudentFactory.create(state_id=number) for number in ("0123", "123"))
    StudentFactory.create(state_id="1230")
    for blank in ("", "", "000", "0"):
        StudentFactory.create(state_id=blank)
    assert found() == [((one.pk, other.pk), ("same state ID",))]


def test_same_student_id_is_a_group_and_a_blank_one_is_not() -> None:
    one, other = (StudentFactory.create(local_id="77") for _ in range(2))
    for _ in range(2):
        StudentFactory.create(local_id="")
    assert found() == [((one.pk, other.pk), ("same student ID",))]


def test_a_chain_of_reasons_is_one_group() -> None:
    one = StudentFactory.create(local_id="77")
    other = StudentFactory.create(local_id="77", state_id="5")
    third = StudentFactory.create(state_id="05")
    assert found() == [((one.pk, other.pk, third.pk), ("same state ID", "same student ID"))]


def test_pair_a_person_told_apart_is_left_out() -> None:
    one, other = (StudentFactory.create(local_id="77") for _ in range(2))
    NotDuplicate.objects.create(first=one, second=other)
    assert found() == []
    third = StudentFactory.create(local_id="77")
    assert found() == [((one.pk, other.pk, third.pk), ("same student ID",))]


def test_value_shared_by_thousands_does_not_make_thousands_of_pairs() -> None:
    (only,) = group([("same state ID", range(5000))], denied=set())
    assert len(only.students) == 30


def test_enrolled_one_stays_then_the_one_more_systems_know() -> None:
    former = StudentFactory.build(pk=1, status="former")
    little_known, well_known = (StudentFactory.build(pk=pk) for pk in (2, 3))
    assert preselected([former, little_known], systems={1: 3}) == little_known
    assert preselected([little_known, well_known], systems={2: 1, 3: 2}) == well_known
