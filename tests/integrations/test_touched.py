"""Whom a setting would touch, counted before it is saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.models import KeepEnrolled, SourceRecord
from integrations.touched import absent_students, program_codes, supplied_students, touched
from students.models import School, Student
from tests.factories.integrations import IntegrationFactory
from tests.world import World, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> Iterator[World]:
    """An Aeries district, imported once, that drops nobody."""
    with a_world("aeries", students=30, drop_students_not_in_file=False) as made:
        made.sync()
        yield made


def test_nothing_is_told_of_an_integration_that_has_supplied_nobody() -> None:
    assert touched(IntegrationFactory.create()) == {}


def test_pins_are_left_alone_unless_the_box_is_ticked(world: World) -> None:
    first = Student.objects.order_by("pk")[0]
    Student.objects.filter(pk=first.pk).update(pin="4711")
    SourceRecord.objects.update(fingerprint=None)

    world.sync()

    assert Student.objects.get(pk=first.pk).pin == "4711"
    number = supplied_students(world.integration).count()
    others = number - 1
    assert touched(world.integration)["use_local_id_as_pin"] == (
        f"Of {number} students of this integration 1 has another PIN now, which it would replace, and {others} have "
        "none. Unticked, PINs are left alone"
    )


def test_pins_become_the_local_ids_when_the_box_is_ticked(world: World) -> None:
    world.set(use_local_id_as_pin=True)

    world.sync()

    number = supplied_students(world.integration).count()
    assert supplied_students(world.integration).exclude(pin="").count() == number
    assert "0 have another PIN now" in touched(world.integration)["use_local_id_as_pin"]


def test_absent_students_are_named_by_school_before_anybody_is_dropped(world: World) -> None:
    gone, kept = world.settled()[:2]
    students = [world.student(one) for one in (gone, kept)]
    school = School.objects.get(enrollments__student=students[1], enrollments__left=None)
    KeepEnrolled.objects.create(integration=world.integration, student=students[1], school=school, reason="Homebound")
    for one in (gone, kept):
        world.district.remove(one.id)

    before = sum(len(one.students) for one in absent_students(world.integration))
    world.sync()
    found = absent_students(world.integration)

    assert before == 0
    assert [one for row in found for one in row.students] == [students[0]]
    assert sum(row.kept for row in found) == 1
    number = supplied_students(world.integration).count()
    assert touched(world.integration)["drop_students_not_in_file"] == (
        f"This integration supplies {number} current students; 1 of them was not in the latest complete import"
    )


def test_program_codes_are_counted_and_those_in_neither_list_are_named(world: World) -> None:
    SourceRecord.objects.update(facts={"status": "current", "program": ""})
    some = list(SourceRecord.objects.values_list("pk", flat=True)[:3])
    SourceRecord.objects.filter(pk__in=some).update(facts={"status": "current", "program": "Q"})
    blank = SourceRecord.objects.count() - 3

    assert program_codes(world.integration) == {"": blank, "Q": 3}
    open_told = touched(world.integration)
    world.set(primary_enrollment_codes="(blank)", alternate_enrollment_codes="S")
    told = touched(world.integration)
    world.set(alternate_enrollment_codes="S, Q")

    assert "alternate_enrollment_codes" not in open_told
    assert told["primary_enrollment_codes"] == f"Enrollments by code: (blank) {blank}, Q 3"
    assert told["alternate_enrollment_codes"] == "In neither list: Q, so 3 enrollments are not imported"
    assert touched(world.integration)["alternate_enrollment_codes"] == "Every code seen is in one of the two lists"


def test_families_are_counted_before_they_are_regrouped(world: World) -> None:
    grouped = supplied_students(world.integration).exclude(family=None)
    families = grouped.values("family").distinct().count()

    told = touched(world.integration)["family_identifier"]

    assert told.startswith(f"Now {grouped.count()} of {supplied_students(world.integration).count()} students")
    assert f"are in {families} families." in told
