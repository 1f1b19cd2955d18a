"""A new student's rows are what the plan of a new student would have written."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from students.differ import Policy, diff_contact
from students.newcomers import Newcomer, new_contact, new_student, planned_contact, planned_student
from students.records import (
    ALTERNATE,
    CURRENT,
    PRIMARY,
    ContactRecord,
    EnrollmentRecord,
    Facts,
    StudentRecord,
)
from students.stays import Year
from students.student_plan import Spoken, plan_student

from .strategies import contact_lists, contacts, days, students

YEAR = Year(name="2026-2027", starts=dt.date(2026, 7, 1), ends=dt.date(2027, 6, 30))


@given(
    students,
    contact_lists(),
    st.one_of(st.none(), days),
    st.sampled_from([PRIMARY, ALTERNATE]),
    st.one_of(st.none(), st.just("a family")),
)
def test_a_newcomer_is_the_student_whom_the_plan_adds(
    record: StudentRecord, listed: list[ContactRecord], entered: dt.date | None, role: str, family: str | None
) -> None:
    stay = EnrollmentRecord(school="110", grade_level="3", entered=entered, role=role)
    record = msgspec.structs.replace(record, contacts=tuple(listed), enrollment=stay)
    facts = Facts(status=CURRENT, entered=entered, role=role)
    plan = plan_student(
        None, [Spoken(school="110", facts=facts, record=record, family=family)],
        year=YEAR, today=dt.date(2026, 11, 2), policy=Policy(), family=True,
    )  # fmt: skip
    assert plan is not None
    assert plan.kind == "create"
    told = new_student(record, family=family, year=YEAR.name, primary=role == PRIMARY)
    assert as_rows(told) == as_rows(planned_student(record.external_id, plan.fields))


def as_rows(newcomer: Newcomer) -> Newcomer:
    """With its lists as tuples, as far as the database does not tell them apart."""
    values = tuple(tuple(value) if isinstance(value, list) else value for value in newcomer.values)
    return msgspec.structs.replace(newcomer, values=values)


@given(contacts())
def test_a_new_contact_has_the_values_that_the_plan_spells_out(contact: ContactRecord) -> None:
    fields, _ = diff_contact({}, contact, policy=Policy())
    assert new_contact(contact) == planned_contact(fields)


def test_the_grade_is_that_of_the_primary_enrollment() -> None:
    stay = {"entered": None, "left": None, "exit_reason": ""}
    fields = {
        "enrollments.110.2026-2027.1": [None, {**stay, "grade_level": "3", "primary": False}],
        "enrollments.120.2026-2027.1": [None, {**stay, "grade_level": "4", "primary": True}],
    }
    assert planned_student("7", fields).grade_level == "4"
    del fields["enrollments.120.2026-2027.1"]
    assert planned_student("7", fields).grade_level == "3"
