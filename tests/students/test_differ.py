"""Laws of the difference: applying it gives the other side, and a second look finds nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from students.differ import LINK_DEFAULTS, NEVER_BLANK, Policy, apply_fields, diff_contact, diff_links, plain
from students.differ import diff_student as diff
from students.records import (
    CONTACT_FIELDS,
    LINK_FIELDS,
    STUDENT_PATHS,
    ContactRecord,
    EnrollmentRecord,
    StudentRecord,
)

from .strategies import as_held, contact_lists, contacts, held_links, held_students, students

CLEARING = Policy(clearing=frozenset(f"student.{name}" for name in STUDENT_PATHS))


def a_record(**values: Any) -> StudentRecord:
    """A record of student 1 that sends these fields only."""
    return StudentRecord(external_id="1", enrollment=EnrollmentRecord(school="110", grade_level="3"), **values)


def expected(ours: dict[str, Any], record: StudentRecord, policy: Policy) -> dict[str, Any]:
    """What we should hold afterwards, spelled out field by field."""
    after = {}
    for name in STUDENT_PATHS:
        before, sent = plain(ours.get(name), name), getattr(record, name)
        blank = sent is UNSET or plain(sent, name) in ("", None, [])
        keeps = name in NEVER_BLANK or f"student.{name}" not in policy.clearing
        after[name] = before if sent is UNSET or (blank and keeps) else plain(sent, name)
    return after


def applied(ours: dict[str, Any], fields: dict[str, list[Any]]) -> dict[str, Any]:
    return apply_fields({name: plain(ours.get(name), name) for name in STUDENT_PATHS}, fields)


@given(held_students, students, st.sampled_from([Policy(), CLEARING]))
def test_applying_a_difference_gives_what_the_source_says(
    ours: dict[str, Any], record: StudentRecord, policy: Policy
) -> None:
    fields, withheld = diff(ours, record, policy=policy)
    assert not withheld
    assert applied(ours, fields) == expected(ours, record, policy)
    for path, (before, after) in fields.items():
        assert before == plain(ours[path], path)
        assert before != after


@given(held_students, students, st.sampled_from([Policy(), CLEARING]))
def test_a_second_difference_is_empty_after_the_first_was_applied(
    ours: dict[str, Any], record: StudentRecord, policy: Policy
) -> None:
    fields, _ = diff(ours, record, policy=policy)
    assert diff(applied(ours, fields), record, policy=policy) == ({}, {})


@given(students)
def test_a_record_differs_from_itself_in_nothing(record: StudentRecord) -> None:
    assert diff(as_held(record, STUDENT_PATHS), record, policy=CLEARING) == ({}, {})


@given(held_students, students)
def test_a_difference_taken_back_gives_what_was_there(ours: dict[str, Any], record: StudentRecord) -> None:
    fields, _ = diff(ours, record, policy=CLEARING)
    after = applied(ours, fields)
    back = {path: [new, old] for path, (old, new) in fields.items()}
    assert apply_fields(after, back) == applied(ours, {})


@given(held_students, students, st.sets(st.sampled_from(STUDENT_PATHS)), st.sets(st.sampled_from(STUDENT_PATHS)))
def test_locked_and_foreign_fields_are_told_and_never_written(
    ours: dict[str, Any], record: StudentRecord, locked: set[str], foreign: set[str]
) -> None:
    policy = Policy(foreign=frozenset(f"student.{name}" for name in foreign))
    free, _ = diff(ours, record, policy=Policy())
    fields, withheld = diff(ours, record, policy=policy, locked=frozenset(locked))
    assert not fields.keys() & (locked | foreign)
    assert fields.keys() | withheld.keys() == free.keys()
    for path, (mine, theirs, why) in withheld.items():
        assert [mine, theirs] == free[path]
        assert why == ("locked" if path in locked else "owned")


@given(held_links, contact_lists())
def test_links_become_exactly_those_the_source_lists(
    ours: dict[str, dict[str, Any]], records: list[ContactRecord]
) -> None:
    fields, withheld = diff_links(ours, records, policy=Policy())
    assert not withheld
    after = {key: dict(link) for key, link in ours.items()}
    for path, (_, value) in fields.items():
        _, key, *field = path.split(".")
        if field:
            after[key][field[0]] = value
        elif value is None:
            del after[key]
        else:
            after[key] = value
    assert after.keys() == {record.external_id for record in records}
    for record in records:
        for name in LINK_FIELDS:
            sent, before = getattr(record, name), ours.get(record.external_id, LINK_DEFAULTS)[name]
            kept = sent is UNSET or sent == ""
            assert after[record.external_id][name] == (before if kept else sent)
    assert diff_links(after, records, policy=Policy()) == ({}, {})


@given(contacts())
def test_a_contact_differs_from_itself_in_nothing(record: ContactRecord) -> None:
    assert diff_contact(as_held(record, CONTACT_FIELDS), record, policy=Policy()) == ({}, {})


def test_a_blank_keeps_ours_unless_the_field_is_cleared_by_blanks() -> None:
    ours = {"email": "a@b.org", "races": ["white"], "birth_date": dt.date(2015, 2, 3)}
    record = a_record(email=None, races=(), birth_date=None)
    assert diff(ours, record, policy=Policy()) == ({}, {})
    fields, _ = diff(ours, record, policy=CLEARING)
    assert fields == {
        "email": ["a@b.org", ""],
        "races": [["white"], []],
        "birth_date": ["2015-02-03", None],
    }


def test_names_and_local_id_are_never_blanked() -> None:
    ours = {"first_name": "Ada", "last_name": "Lovelace", "local_id": "7"}
    record = a_record(first_name=None, last_name="", local_id=None)
    assert diff(ours, record, policy=CLEARING) == ({}, {})


def test_what_the_source_does_not_send_is_left_alone() -> None:
    assert diff({"email": "a@b.org"}, a_record(), policy=CLEARING) == ({}, {})


def test_races_in_another_order_are_a_difference() -> None:
    fields, _ = diff({"races": ["white", "black"]}, a_record(races=("black", "white")), policy=Policy())
    assert fields == {"races": [["white", "black"], ["black", "white"]]}


def test_allergies_in_another_order_are_no_difference() -> None:
    ours = {"allergies": [["peanuts", "Peanut"], ["", "berry"]]}
    record = a_record(allergies=(("", "berry"), ("peanuts", "Peanut")))
    assert diff(ours, record, policy=CLEARING) == ({}, {})


def test_no_allergies_keep_ours_unless_the_field_is_cleared_by_blanks() -> None:
    ours = {"allergies": [["peanuts", "Peanut"]]}
    assert diff(ours, a_record(allergies=()), policy=Policy()) == ({}, {})
    fields, _ = diff(ours, a_record(allergies=()), policy=Policy(clearing=frozenset({"student.allergies"})))
    assert fields == {"allergies": [[["peanuts", "Peanut"]], []]}


def test_another_list_of_allergies_replaces_the_whole() -> None:
    ours = {"allergies": (("", "berry"), ("peanuts", "Peanut"))}
    record = a_record(allergies=(("latex", "LATEX"), ("peanuts", "Peanut")))
    fields, _ = diff(ours, record, policy=Policy())
    assert fields == {
        "allergies": [[["", "berry"], ["peanuts", "Peanut"]], [["latex", "LATEX"], ["peanuts", "Peanut"]]]
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "after"),
    [
        ("0123", "123", None),
        ("123", "0123", "0123"),
        ("0123", "0124", "0124"),
        ("0123", "1230", "1230"),
        ("", "1", "1"),
    ],
)
def test_a_state_id_that_only_lost_zeros_keeps_ours(ours: str, theirs: str, after: str | None) -> None:
    fields, _ = diff({"state_id": ours}, a_record(state_id=theirs), policy=Policy())
    assert fields == ({} if after is None else {"state_id": [ours, after]})
