"""Merging two students: everything of the duplicate is moved or kept, and can be given back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import models

from integrations.errors import RunRefused
from integrations.merge_rows import MOVED_UNLESS_EQUAL
from integrations.merging import MergeRefused, merge_students, preview_merge, undo_merge
from integrations.models import ExternalIdentity, KeepEnrolled, MatchDecision, RecordIssue, SourceRecord
from integrations.sandbox import District
from students.models import (
    Contact,
    Enrollment,
    Family,
    FieldLock,
    NotDuplicate,
    School,
    Student,
    StudentAllergy,
    StudentContact,
    StudentMerge,
    StudentPhoto,
)
from students.snapshots import row_values
from tests.factories.integrations import (
    ExternalIdentityFactory,
    IntegrationFactory,
    KeepEnrolledFactory,
    RecordIssueFactory,
    SyncRunFactory,
    change_of,
)
from tests.factories.students import (
    ContactFactory,
    EnrollmentFactory,
    FamilyFactory,
    FieldLockFactory,
    SchoolFactory,
    StudentContactFactory,
    StudentFactory,
    enrolled,
)
from tests.stories.days import held, quiet_sync
from tests.world import a_world

pytestmark = pytest.mark.django_db
TREATED_BY_HAND = {
    "students.Enrollment.student",
    "students.StudentContact.student",
    "students.NotDuplicate.first",
    "students.NotDuplicate.second",
    "integrations.ExternalIdentity.student",
    "integrations.RecordIssue.candidate",
    "integrations.Change.student",
}
"""Relations that a merge treats by a rule of their own; each has a test below."""
WATCHED: tuple[type[models.Model], ...] = (
    Student, Enrollment, Contact, StudentContact, FieldLock, StudentAllergy, StudentPhoto, ExternalIdentity,
    KeepEnrolled, MatchDecision, Family,
)  # fmt: skip


def everything() -> dict[str, list[dict[str, Any]]]:
    """All that hangs on students, but for when a row was written."""
    when = {"created", "received"}
    return {
        model._meta.label: [
            {k: v for k, v in row_values(row).items() if k not in when} for row in model._default_manager.order_by("pk")
        ]
        for model in WATCHED
    }


def two(**values: Any) -> tuple[Student, Student]:
    """A student at school 101, and the same child once more without an enrollment."""
    survivor = enrolled(SchoolFactory.create(code="101"), first_name="Ana", last_name="Ruiz", local_id="1")
    return survivor, StudentFactory.create(**{"first_name": "Ana", "last_name": "Ruiz", "local_id": "2", **values})


def merge(survivor: Student, duplicate: Student, **choices: str) -> StudentMerge:
    """The merge of the two."""
    return merge_students(survivor=survivor, duplicate=duplicate, choices=choices)


def full_duplicate() -> Student:
    """A duplicate with one of everything."""
    duplicate = enrolled(SchoolFactory.create(code="102"), first_name="Anna", last_name="Ruiz", local_id="2",
                         family=FamilyFactory.create(), races=["white"])  # fmt: skip
    StudentContactFactory.create(student=duplicate)
    FieldLockFactory.create(student=duplicate, field="pin")
    StudentAllergy.objects.create(student=duplicate, allergy="peanuts", note="Peanuts")
    StudentPhoto.objects.create(student=duplicate, image="students/2.jpg", sha256="0" * 64)
    identity = ExternalIdentityFactory.create(student=duplicate)
    KeepEnrolledFactory.create(
        student=duplicate, integration=identity.integration, school=School.objects.get(code="102")
    )
    MatchDecision.objects.create(integration=identity.integration, external_id="77", student=duplicate)
    return duplicate


def test_every_relation_to_a_student_is_treated_by_the_merge() -> None:
    relations = {
        f"{relation.related_model._meta.label}.{relation.field.name}"
        for relation in Student._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ForeignObjectRel) and "Historical" not in relation.related_model.__name__
    }
    plain = {f"{m._meta.label}.{column.removesuffix('_id')}" for m, (column, _) in MOVED_UNLESS_EQUAL.items()}
    assert relations == plain | TREATED_BY_HAND


def test_everything_of_the_duplicate_moves_to_a_student_who_has_none_of_it() -> None:
    survivor, duplicate = two()[0], full_duplicate()
    merge(survivor, duplicate)
    assert not Student.objects.filter(pk=duplicate.pk).exists()
    for model in (
        StudentContact,
        FieldLock,
        StudentAllergy,
        StudentPhoto,
        ExternalIdentity,
        KeepEnrolled,
        MatchDecision,
    ):
        assert set(model.objects.exclude(student=None).values_list("student", flat=True)) == {survivor.pk}, model
    stays = survivor.enrollments.order_by("school__code").values_list("school__code", "primary")
    assert list(stays) == [("101", True), ("102", False)]
    survivor.refresh_from_db()
    assert survivor.family is not None
    assert survivor.races == ["white"]


def test_undo_gives_everything_back() -> None:
    survivor, duplicate = two()[0], full_duplicate()
    StudentContactFactory.create(student=survivor)
    before = everything()
    made = merge(survivor, duplicate, first_name="duplicate", local_id="duplicate")
    assert undo_merge(merge=made) == []
    assert everything() == before
    made.refresh_from_db()
    assert made.undone is not None


def test_undo_gives_everything_back_when_the_survivor_had_the_same() -> None:
    survivor, duplicate = two()[0], full_duplicate()
    other = full_duplicate()
    mother = ContactFactory.create(first_name="Maria", last_name="Ruiz")
    for student, contact in ((duplicate, mother), (other, ContactFactory.create(first_name="MARIA", last_name="Ruiz"))):
        StudentContactFactory.create(student=student, contact=contact)
    before = everything()
    made = merge(duplicate, other)
    assert Enrollment.objects.filter(student=duplicate, left=None).count() == 1
    assert StudentContact.objects.filter(student=duplicate, contact__last_name="Ruiz").count() == 1
    assert undo_merge(merge=made) == []
    assert everything() == before
    assert survivor.enrollments.count() == 1


def test_preview_is_the_merge_and_writes_nothing() -> None:
    survivor, duplicate = two()[0], full_duplicate()
    before = everything()
    shown = preview_merge(survivor=survivor, duplicate=duplicate, choices={})
    assert everything() == before
    assert not StudentMerge.objects.exists()
    made = merge(Student.objects.get(pk=survivor.pk), Student.objects.get(pk=duplicate.pk))
    assert [row["moved"] for row in shown.snapshot["rows"]] == [row["moved"] for row in made.snapshot["rows"]]


def test_later_edits_are_kept_and_listed_by_an_undo() -> None:
    survivor, duplicate = two(email="dup@example.org")[0], full_duplicate()
    made = merge(survivor, duplicate, first_name="duplicate")
    Student.objects.filter(pk=survivor.pk).update(first_name="Anja")
    Enrollment.objects.filter(school__code="102").update(stint=3)
    FieldLock.objects.filter(field="pin").delete()
    kept = undo_merge(merge=made)
    told = {"enrollment: stay edited since", "field lock: removed since", "First name of Ruiz, Anja: edited since"}
    assert set(kept) == told
    survivor.refresh_from_db()
    assert survivor.first_name == "Anja"
    assert Enrollment.objects.get(school__code="102").stint == 3


def test_merges_are_undone_in_the_opposite_order() -> None:
    survivor, duplicate = two()
    third = StudentFactory.create(first_name="Ana", last_name="Ruiz", local_id="3")
    before = everything()
    first = merge(duplicate, third)
    second = merge(survivor, duplicate)
    first.refresh_from_db()
    assert first.survivor == survivor
    with pytest.raises(MergeRefused, match="Undo that first"):
        undo_merge(merge=first)
    assert undo_merge(merge=second) == []
    first.refresh_from_db()
    assert first.survivor_id == duplicate.pk
    assert undo_merge(merge=first) == []
    assert everything() == before
    with pytest.raises(MergeRefused, match="already"):
        undo_merge(merge=first)


def test_former_survivor_is_current_when_the_duplicate_is_enrolled_at_the_same_stay() -> None:
    survivor, duplicate = two()
    survivor.enrollments.update(left=dt.date(2026, 10, 1))
    Student.objects.filter(pk=survivor.pk).update(status="former")
    EnrollmentFactory.create(student=duplicate, school=School.objects.get(code="101"), grade_level="4")
    before = everything()
    made = merge(survivor, duplicate)
    survivor.refresh_from_db()
    assert (survivor.status, survivor.grade_level) == ("current", "4")
    assert list(survivor.enrollments.order_by("stint").values_list("stint", "left")) == [
        (1, dt.date(2026, 10, 1)),
        (2, None),
    ]
    undo_merge(merge=made)
    assert everything() == {**before, "students.Student": everything()["students.Student"]}
    survivor.refresh_from_db()
    assert survivor.status == "former"


def test_ids_of_another_integration_go_on_speaking_and_those_of_the_same_fall_silent() -> None:
    survivor, duplicate = two()
    shared, other = IntegrationFactory.create(), IntegrationFactory.create()
    for student, integration, number in ((survivor, shared, "1"), (duplicate, shared, "2"), (duplicate, other, "3")):
        ExternalIdentityFactory.create(student=student, integration=integration, external_id=number)
        SourceRecord.objects.create(integration=integration, school="1", external_id=number, fingerprint=7)
    merge(survivor, duplicate)
    ids = ExternalIdentity.objects.filter(student=survivor).order_by("external_id")
    assert list(ids.values_list("external_id", "silent")) == [("1", False), ("2", True), ("3", False)]
    assert set(SourceRecord.objects.values_list("fingerprint", flat=True)) == {None}


def test_restricted_contact_stays_one_of_its_own() -> None:
    survivor, duplicate = two()
    StudentContactFactory.create(student=survivor, contact__first_name="Rex", contact__last_name="Ruiz")
    StudentContactFactory.create(
        student=duplicate, contact__first_name="Rex", contact__last_name="Ruiz", restricted=True
    )
    merge(survivor, duplicate)
    assert sorted(survivor.contact_links.values_list("restricted", flat=True)) == [False, True]


def test_contact_shared_with_a_sibling_is_left_to_the_sibling() -> None:
    survivor, duplicate = two()
    sibling = StudentFactory.create()
    StudentContactFactory.create(student=survivor, contact__first_name="Maria", contact__last_name="Ruiz")
    mother = ContactFactory.create(first_name="Maria", last_name="Ruiz")
    for student in (duplicate, sibling):
        StudentContactFactory.create(student=student, contact=mother)
    merge(survivor, duplicate)
    assert survivor.contact_links.count() == 1
    assert sibling.contact_links.get().contact == mother


def test_allergies_of_both_are_kept_and_locked_when_an_integration_speaks() -> None:
    survivor, duplicate = two()
    ExternalIdentityFactory.create(student=survivor)
    for student, allergy in ((survivor, "latex"), (duplicate, "peanuts"), (duplicate, "latex")):
        StudentAllergy.objects.create(student=student, allergy=allergy)
    merge(survivor, duplicate)
    assert sorted(survivor.allergies.values_list("allergy", flat=True)) == ["latex", "peanuts"]
    assert survivor.locks.filter(field="allergies").exists()


def test_photo_of_the_survivor_wins() -> None:
    survivor, duplicate = two()
    for student in (survivor, duplicate):
        StudentPhoto.objects.create(student=student, image=f"students/{student.pk}.jpg", sha256=str(student.pk) * 8)
    before = everything()
    made = merge(survivor, duplicate)
    assert StudentPhoto.objects.get().image == f"students/{survivor.pk}.jpg"
    undo_merge(merge=made)
    assert everything() == before


def test_issues_and_changes_of_the_duplicate_are_found_again_after_an_undo() -> None:
    survivor, duplicate = two()
    run = SyncRunFactory.create()
    change = change_of(duplicate, run=run, schools=["101"])
    issue = RecordIssueFactory.create(run=run, candidate=duplicate)
    made = merge(survivor, duplicate)
    assert RecordIssue.objects.get(pk=issue.pk).candidate == survivor
    undo_merge(merge=made)
    change.refresh_from_db()
    assert RecordIssue.objects.get(pk=issue.pk).candidate == change.student == Student.objects.get(pk=duplicate.pk)


def test_word_that_a_third_one_is_another_child_holds_for_the_survivor() -> None:
    survivor, duplicate = two()
    third = StudentFactory.create(first_name="Ana", last_name="Ruiz")
    NotDuplicate.objects.create(first=duplicate, second=third)
    NotDuplicate.objects.create(first=survivor, second=duplicate)
    made = merge(survivor, duplicate)
    assert list(NotDuplicate.objects.values_list("first", "second")) == [(survivor.pk, third.pk)]
    undo_merge(merge=made)
    assert NotDuplicate.objects.count() == 3


def test_merge_tells_who_and_leaves_a_trace_in_the_history() -> None:
    survivor, duplicate = two()
    user = User.objects.create_user("registrar")
    made = merge_students(survivor=survivor, duplicate=duplicate, choices={"local_id": "duplicate"}, user=user)
    assert (made.user, made.name) == (user, "Ruiz, Ana (student ID 2)")
    assert Student.history.filter(id=duplicate.pk, history_type="-").exists()
    assert Student.history.filter(id=survivor.pk, local_id="2").exists()


@pytest.mark.parametrize("choices", [{"status": "survivor"}, {"first_name": "other"}])
def test_unknown_choice_is_refused(choices: dict[str, str]) -> None:
    survivor, duplicate = two()
    with pytest.raises(MergeRefused, match="not known"):
        merge(survivor, duplicate, **choices)


def test_student_is_not_merged_with_itself_and_not_with_one_who_has_gone() -> None:
    survivor, duplicate = two()
    with pytest.raises(MergeRefused, match="two different"):
        merge(survivor, survivor)
    gone = Student.objects.get(pk=duplicate.pk)
    duplicate.delete()
    with pytest.raises(MergeRefused, match="not here any more"):
        merge(survivor, gone)


@pytest.mark.parametrize("taken_back", [False, True])
def test_plan_is_refused_when_somebody_of_it_was_merged_since(*, taken_back: bool) -> None:
    with a_world("aeries", students=40) as world:
        world.sync()
        child = world.settled()[0]
        survivor = world.student(child)
        duplicate = StudentFactory.create(first_name=survivor.first_name, last_name=survivor.last_name)
        if taken_back:
            made = merge(survivor, duplicate)
        run, _ = held(world)
        if taken_back:
            undo_merge(merge=made)
        else:
            merge(survivor, duplicate)

        with pytest.raises(RunRefused, match=f"A decision on {survivor} was made since the plan"):
            world.approve(run)

        assert survivor.enrollments.filter(left=None).exists()


def test_child_known_to_two_systems_keeps_one_of_each_contact() -> None:
    district = District.generate(students=30, seed=3, schools=2, messy=False)
    with (
        a_world("aeries", district=district, family_identifier=[]) as one,
        a_world("aeries", district=district, name="Other", family_identifier=[]) as other,
    ):
        one.sync()
        child = one.settled()[0]
        survivor = one.student(child)
        Student.objects.filter(pk=survivor.pk).update(state_id="none", birth_date=None, first_name="Renamed")
        other.sync()
        duplicate = other.student(child)
        assert duplicate != survivor
        names = sorted(str(link.contact) for link in survivor.contact_links.all())
        assert names
        merge(survivor, duplicate, state_id="duplicate", first_name="duplicate", birth_date="duplicate")
        for world in (one, other):
            world.sync()
        for world in (one, other):
            quiet_sync(world)
        assert sorted(str(link.contact) for link in survivor.contact_links.all()) == names
        assert survivor.enrollments.filter(left=None).count() == 1
