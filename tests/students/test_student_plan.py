"""What everything a source says of one student comes to."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given

from students.differ import Policy, apply_fields, plain
from students.records import (
    ALTERNATE,
    CURRENT,
    FUTURE,
    LEFT,
    STUDENT_PATHS,
    ContactRecord,
    EnrollmentRecord,
    Facts,
    StudentRecord,
)
from students.stays import Stay
from students.student_plan import Known, Spoken, StudentPlan, plan_student

from .strategies import held_students, students
from .test_stays import TODAY, YEAR, a_stay

AUGUST, OCTOBER = dt.date(2026, 8, 13), dt.date(2026, 10, 1)


def says(
    school: str = "110", *, entered: dt.date | None = AUGUST, status: str = CURRENT, role: str = "primary",
    left: dt.date | None = None, family: str | None = None, **values: Any,
) -> Spoken:  # fmt: skip
    """What one school says of student 1."""
    stay = EnrollmentRecord(school=school, grade_level="3", entered=entered, status=status, role=role, left=left)
    values = {"first_name": "Ann", "last_name": "Poe", **values}
    return Spoken(
        school=school,
        facts=Facts(status=status, entered=entered, role=role, left=left),
        record=StudentRecord(external_id="1", enrollment=stay, **values),
        family=family,
    )


def held(*stays: Stay, **values: Any) -> Known:
    """What we hold of student 1."""
    values = {"first_name": "Ann", "last_name": "Poe", **values}
    return Known(values=values, stays=stays, family=values.pop("family", None))


def plan(
    known: Known | None,
    *spoken: Spoken,
    others: dict[str, Facts] | None = None,
    gone: frozenset[str] = frozenset(),
    policy: Policy | None = None,
    family: bool = False,
) -> StudentPlan | None:
    return plan_student(
        known, spoken, others=others, gone=gone, year=YEAR, today=TODAY, policy=policy or Policy(), family=family
    )


def kind(found: StudentPlan | None) -> str:
    assert found is not None
    return found.kind


def test_a_newcomer_is_created_with_a_stay() -> None:
    found = plan(None, says(email="a@b.org"))
    assert kind(found) == "create"
    assert found is not None
    assert found.fields["email"] == ["", "a@b.org"]
    assert found.fields["enrollments.110.2026-2027.1"][1]["primary"] is True


def test_nobody_is_created_by_a_record_that_is_not_current() -> None:
    assert plan(None, says(status=FUTURE)) is None
    assert plan(None, says(status=LEFT)) is None


def test_a_newcomer_is_created_whole_whoever_owns_the_fields() -> None:
    found = plan(None, says(email="a@b.org"), policy=Policy(foreign=frozenset({"student.email"})))
    assert found is not None
    assert not found.withheld
    assert found.fields["email"] == ["", "a@b.org"]


def test_nothing_new_is_no_plan() -> None:
    assert plan(held(a_stay()), says()) is None


def test_the_school_entered_last_is_primary_and_speaks_for_the_child() -> None:
    found = plan(held(a_stay()), says(email="old@b.org"), says("120", entered=OCTOBER, email="new@b.org"))
    assert found is not None
    assert found.main == "120"
    assert found.fields["email"] == ["", "new@b.org"]
    assert found.fields["enrollments.110.2026-2027.1.primary"] == [True, False]
    assert found.fields["enrollments.120.2026-2027.1"][1]["primary"] is True


def test_an_alternate_school_neither_is_primary_nor_speaks() -> None:
    alternate = says("120", entered=OCTOBER, role=ALTERNATE, email="new@b.org")
    found = plan(held(a_stay()), alternate, others={"110": Facts(entered=AUGUST)})
    assert found is not None
    assert found.main is None
    assert list(found.fields) == ["enrollments.120.2026-2027.1"]
    assert found.fields["enrollments.120.2026-2027.1"][1]["primary"] is False


def test_a_move_ends_the_old_stay_and_is_no_leaving() -> None:
    found = plan(held(a_stay()), says(status=LEFT, left=OCTOBER), says("120", entered=OCTOBER))
    assert kind(found) == "update"
    assert found is not None
    assert found.fields["enrollments.110.2026-2027.1.left"] == [None, "2026-10-01"]


def test_a_school_that_speaks_no_longer_ends_when_another_has_the_child() -> None:
    found = plan(held(a_stay()), says("120", entered=OCTOBER), gone=frozenset({"110"}))
    assert kind(found) == "update"
    assert found is not None
    assert found.fields["enrollments.110.2026-2027.1.left"] == [None, "2026-10-01"]
    assert found.fields["enrollments.110.2026-2027.1.exit_reason"] == ["", "moved"]


def test_a_school_that_speaks_no_longer_ends_nothing_when_no_other_has_the_child() -> None:
    assert plan(held(a_stay()), says("120", status=LEFT), gone=frozenset({"110"})) is None


def test_who_leaves_the_last_school_has_left() -> None:
    assert kind(plan(held(a_stay()), says(status=LEFT, left=OCTOBER))) == "left"


def test_who_returns_is_reopened() -> None:
    assert kind(plan(held(a_stay(left=OCTOBER)), says())) == "reopen"


def test_a_primary_enrollment_of_another_system_gives_way_only_to_a_later_one() -> None:
    theirs = a_stay(school="900", entered=dt.date(2026, 9, 1))
    earlier = plan(held(theirs), says(entered=AUGUST))
    assert earlier is not None
    assert earlier.fields["enrollments.110.2026-2027.1"][1]["primary"] is False
    later = plan(held(theirs), says(entered=OCTOBER))
    assert later is not None
    assert later.fields["enrollments.110.2026-2027.1"][1]["primary"] is True
    assert later.fields["enrollments.900.2026-2027.1.primary"] == [True, False]


def test_a_locked_or_foreign_enrollment_is_withheld() -> None:
    known = Known(values={"first_name": "Ann", "last_name": "Poe"}, stays=[a_stay()], locked=frozenset({"enrollments"}))
    found = plan(known, says(status=LEFT, left=OCTOBER))
    assert found is not None
    assert not found.fields
    assert {why for _, _, why in found.withheld.values()} == {"locked"}


def test_families_change_only_where_the_integration_decides_them() -> None:
    known = held(a_stay(), family="old")
    assert plan(known, says(family="new")) is None
    found = plan(known, says(family=None), family=True)
    assert found is not None
    assert found.fields == {"family": ["old", None]}


def test_contacts_are_left_alone_when_the_source_was_not_asked_for_them() -> None:
    known = Known(values={"first_name": "Ann", "last_name": "Poe"}, stays=[a_stay()], links={"7": {}})
    assert plan(known, says()) is None
    found = plan(known, says(contacts=()))
    assert found is not None
    assert found.fields == {"contacts.7": [{}, None]}


def test_a_new_contact_is_linked_with_what_was_told() -> None:
    found = plan(held(a_stay()), says(contacts=(ContactRecord(external_id="7", order=2, emergency=True),)))
    assert found is not None
    after = found.fields["contacts.7"][1]
    assert (after["order"], after["emergency"], after["relationship"]) == (2, True, "")


@given(held_students, students)
def test_a_plan_applied_leaves_nothing_to_plan(ours: dict[str, Any], record: StudentRecord) -> None:
    ours = {**ours, "first_name": "Ann", "last_name": "Poe"}
    said = Spoken(school="110", facts=Facts(), record=record)
    found = plan(Known(values=ours, stays=[a_stay(entered=None)]), said)
    fields = {} if found is None else found.fields
    assert all("." not in path for path in fields)
    after = apply_fields({name: plain(ours[name], name) for name in STUDENT_PATHS}, fields)
    assert plan(Known(values=after, stays=[a_stay(entered=None)]), said) is None
