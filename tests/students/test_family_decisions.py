"""A person's word on who is one family."""

from __future__ import annotations

import pytest

from students.family_decisions import DecisionRefused, join_students, lift_decisions, split_student
from students.models import Family, FieldLock, Student
from students.signals import student_edited
from tests.factories.students import FamilyFactory, StudentFactory

pytestmark = pytest.mark.django_db


def family_of(*students: Student) -> set[int | None]:
    return set(Student.objects.filter(pk__in=[one.pk for one in students]).values_list("family", flat=True))


def test_child_is_taken_out_and_locked_with_the_reason() -> None:
    family = FamilyFactory.create()
    one, other = (StudentFactory.create(family=family) for _ in range(2))
    split_student(student=one, reason=" Court order ")
    assert family_of(one) == {None}
    assert family_of(other) == {family.pk}
    assert FieldLock.objects.get().reason == "Court order"
    assert Student.history.filter(id=one.pk).latest().family_id is None


def test_two_children_without_a_family_become_one() -> None:
    one, other = (StudentFactory.create() for _ in range(2))
    made = join_students(student=one, other=other, whole=False, reason="Siblings")
    assert family_of(one, other) == {made.pk}


def test_child_without_a_family_comes_to_the_family_of_the_one_who_has_one() -> None:
    family = FamilyFactory.create()
    one, sibling = (StudentFactory.create(family=family) for _ in range(2))
    alone = StudentFactory.create()
    assert join_students(student=one, other=alone, whole=False, reason="Siblings") == family
    assert family_of(one, sibling, alone) == {family.pk}
    assert FieldLock.objects.filter(field="family").count() == 3


def test_family_that_everybody_has_left_is_removed() -> None:
    old, new = FamilyFactory.create(), FamilyFactory.create()
    moved = [StudentFactory.create(family=old) for _ in range(2)]
    other = StudentFactory.create(family=new)
    join_students(student=moved[0], other=other, whole=True, reason="Married")
    assert family_of(*moved, other) == {new.pk}
    assert list(Family.objects.all()) == [new]


def test_second_decision_takes_the_place_of_the_first() -> None:
    one, other = (StudentFactory.create(family=FamilyFactory.create()) for _ in range(2))
    split_student(student=one, reason="First")
    join_students(student=one, other=other, whole=False, reason="Second")
    assert FieldLock.objects.get(student=one).reason == "Second"


@pytest.mark.parametrize("reason", ["", "  "])
def test_decision_needs_a_reason(reason: str) -> None:
    one, other = (StudentFactory.create(family=FamilyFactory.create()) for _ in range(2))
    with pytest.raises(DecisionRefused, match="Say why"):
        split_student(student=one, reason=reason)
    with pytest.raises(DecisionRefused, match="Say why"):
        join_students(student=one, other=other, whole=False, reason=reason)
    assert not FieldLock.objects.exists()


def test_what_is_so_already_is_refused_in_words() -> None:
    family = FamilyFactory.create()
    one, other, alone = (StudentFactory.create(family=f) for f in (family, family, None))
    with pytest.raises(DecisionRefused, match="one family already"):
        join_students(student=one, other=other, whole=False, reason="x")
    with pytest.raises(DecisionRefused, match="another child"):
        join_students(student=one, other=one, whole=False, reason="x")
    with pytest.raises(DecisionRefused, match="in no family"):
        split_student(student=alone, reason="x")


def test_every_decision_is_made_known_as_an_edit() -> None:
    one, other = (StudentFactory.create(family=FamilyFactory.create()) for _ in range(2))
    told: list[list[int]] = []

    def listen(*, student_ids: list[int], **_: object) -> None:
        told.append(sorted(student_ids))

    student_edited.connect(listen)
    try:
        join_students(student=one, other=other, whole=False, reason="x")
        split_student(student=one, reason="y")
        lift_decisions(students=[one, other])
    finally:
        student_edited.disconnect(listen)
    assert told == [[one.pk, other.pk], [one.pk], [one.pk, other.pk]]
