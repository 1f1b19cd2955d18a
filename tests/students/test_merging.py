"""Which fields of two records of one child differ, which stays and contacts move."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from students.merging import Conflict, Person, conflicts, move_stays, same_contact, to_lock
from students.stays import Stay

NAMES = ("first_name", "races", "birth_date")


def stay(pk: int, school: str = "1", stint: int = 1, *, current: bool = True, primary: bool = True) -> Stay:
    left = None if current else dt.date(2026, 10, 1)
    return Stay(id=pk, school=school, year="2026-2027", stint=stint, grade_level="3", entered=dt.date(2026, 8, 12),
                left=left, exit_reason="", primary=primary)  # fmt: skip


def person(pk: int, first: str = "Maria", last: str = "Ruiz", *, restricted: bool = False) -> Person:
    return Person(id=pk, first_name=first, last_name=last, restricted=restricted)


def test_only_differing_fields_are_listed_and_the_one_that_is_not_blank_is_preselected() -> None:
    ours = {"first_name": "", "races": ["white"], "birth_date": "2017-03-04"}
    theirs = {"first_name": "Ana", "races": [], "birth_date": "2017-03-04"}
    found = conflicts(ours, theirs, NAMES)
    assert [(one.field, one.chosen) for one in found] == [("first_name", "duplicate"), ("races", "survivor")]


def test_two_values_preselect_the_survivors() -> None:
    (one,) = conflicts({"first_name": "Ann"}, {"first_name": "Ana"}, ["first_name"])
    assert one.chosen == "survivor"


def test_two_kinds_of_blank_are_no_conflict() -> None:
    assert conflicts({"birth_date": None}, {"birth_date": ""}, ["birth_date"]) == []


def test_a_field_is_locked_when_an_import_would_write_the_other_value() -> None:
    one = Conflict(field="first_name", survivor="Ann", duplicate="Ana")
    blank = Conflict(field="email", survivor="", duplicate="a@b.org", chosen="duplicate")
    chosen = {"first_name": "duplicate"}
    assert to_lock([one, blank], chosen, survivor_supplied=True, duplicate_supplied=False) == ["first_name"]
    assert to_lock([one, blank], chosen, survivor_supplied=False, duplicate_supplied=True) == []
    assert to_lock([one], {}, survivor_supplied=True, duplicate_supplied=True) == ["first_name"]


def test_a_family_is_locked_even_against_no_family() -> None:
    family = Conflict(field="family", survivor=None, duplicate=7, chosen="duplicate")
    assert to_lock([family], {}, survivor_supplied=True, duplicate_supplied=False) == ["family"]


def test_survivors_stay_is_kept_when_both_are_at_the_school() -> None:
    assert move_stays([stay(1)], [stay(2)]) == {2: None}


def test_current_stay_is_renumbered_when_the_survivors_has_ended() -> None:
    move = move_stays([stay(1, current=False)], [stay(2)])[2]
    assert move is not None
    assert (move.stint, move.primary) == (2, True)


def test_stay_moves_as_an_alternate_one_when_the_survivor_has_a_primary_one() -> None:
    move = move_stays([stay(1)], [stay(2, school="2")])[2]
    assert move is not None
    assert not move.primary


def stays(first: int) -> st.SearchStrategy[list[Stay]]:
    """Stays the database would take."""
    one = st.tuples(st.sampled_from("12"), st.integers(1, 2), st.booleans(), st.booleans())

    def possible(rows: list[Any]) -> bool:
        current = [row for row in rows if row[2]]
        once = len({row[0] for row in current}) == len(current)
        return once and sum(row[3] for row in current) < 2

    rows = st.lists(one, max_size=4, unique_by=lambda row: row[:2]).filter(possible)
    return rows.map(lambda found: [stay(first + i, s, n, current=c, primary=p) for i, (s, n, c, p) in enumerate(found)])


@given(stays(1), stays(100))
def test_moved_stays_are_always_possible_and_nobody_stops_being_enrolled(ours: list[Stay], theirs: list[Stay]) -> None:
    moves = move_stays(ours, theirs)
    kept = [(s.school, s.stint, s.left is None, s.primary) for s in ours]
    kept += [(s.school, m.stint, s.left is None, m.primary) for s in theirs if (m := moves[s.id]) is not None]
    current = [row for row in kept if row[2]]
    assert len({row[:2] for row in kept}) == len(kept)
    assert len({row[0] for row in current}) == len(current)
    assert sum(row[3] for row in current) <= 1
    assert {row[0] for row in current} == {s.school for s in [*ours, *theirs] if s.left is None}


def test_contact_is_the_same_by_row_or_by_full_name() -> None:
    ours = [person(1), person(2, "José", "Núñez")]
    assert same_contact(person(1, "Other", "Name"), ours) == ours[0]
    assert same_contact(person(9, "JOSE", "Nunez"), ours) == ours[1]
    assert same_contact(person(9, "Rosa", "Ruiz"), ours) is None


def test_contacts_without_a_full_name_are_not_taken_for_the_same() -> None:
    assert same_contact(person(9, "", ""), [person(1, "", "")]) is None
    assert same_contact(person(9, "", "Ruiz"), [person(1, "", "Ruiz")]) is None


def test_restricted_contact_is_never_lost_in_one_who_is_not() -> None:
    assert same_contact(person(9, restricted=True), [person(1)]) is None
