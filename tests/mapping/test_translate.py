"""Codes become our values; what no mapping knows is told and left alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from mapping.translate import LONGEST_NOTE, Table, Unmapped, translate
from students.codes import NOT_STATED
from students.records import FUTURE, LEFT, ContactRecord, EnrollmentRecord, StudentRecord

TABLES = {
    "gender": Table({"M": "M", "F": "F"}),
    "ethnicity": Table({"Y": "hispanic"}),
    "race": Table({"700": "white", "710": "white", "600": "black"}),
    "language": Table({"00": "en"}),
    "state": Table({"CA": "CA"}),
    "relationship": Table({"10": "mother"}),
    "grade_level": Table({"3": "3", "-1": "TK"}),
}


def a_record(*, status: str = "current", grade: str = "3", **values: Any) -> StudentRecord:
    stay = EnrollmentRecord(school="110", grade_level=grade, status=status)
    return StudentRecord(external_id="1", enrollment=stay, **values)


def test_codes_become_our_values() -> None:
    record = a_record(
        gender="F", ethnicity="Y", races=("600", "700"), home_language="00", residence_state="CA",
        contacts=(ContactRecord(external_id="7", relationship="10", state="CA"),),
    )  # fmt: skip
    found, unmapped = translate(record, TABLES, school="ours")
    assert not unmapped
    assert (found.gender, found.ethnicity, found.races) == ("F", "hispanic", ("black", "white"))
    assert (found.home_language, found.residence_state) == ("en", "CA")
    assert (found.enrollment.school, found.enrollment.grade_level) == ("ours", "3")
    assert isinstance(found.contacts, tuple)
    assert (found.contacts[0].relationship, found.contacts[0].state) == ("mother", "CA")


def test_an_unknown_code_leaves_the_field_alone_and_is_told() -> None:
    found, unmapped = translate(a_record(gender="Q", home_language="99"), TABLES, school="x")
    assert (found.gender, found.home_language) == (UNSET, UNSET)
    assert unmapped == [Unmapped("gender", "Q", "gender"), Unmapped("language", "99", "home_language")]


def test_one_unknown_race_leaves_all_races_alone() -> None:
    found, unmapped = translate(a_record(races=("700", "999")), TABLES, school="x")
    assert found.races is UNSET
    assert [one.code for one in unmapped] == ["999"]


def test_races_that_mean_the_same_are_one() -> None:
    found, _ = translate(a_record(races=("710", "700")), TABLES, school="x")
    assert found.races == ("white",)


def test_no_races_are_no_races() -> None:
    assert translate(a_record(races=()), TABLES, school="x")[0].races == ()


def test_a_blank_is_a_blank_and_no_unknown_code() -> None:
    found, unmapped = translate(a_record(gender=" ", home_language=None), TABLES, school="x")
    assert (found.gender, found.home_language, unmapped) == (None, None, [])


def test_a_blank_may_be_mapped() -> None:
    tables = {**TABLES, "gender": Table({"": "X", "M": "M"})}
    assert translate(a_record(gender=None), tables, school="x")[0].gender == "X"


def test_a_field_without_a_mapping_is_left_alone() -> None:
    tables = {"grade_level": TABLES["grade_level"]}
    found, unmapped = translate(a_record(gender="Q", races=("1",)), tables, school="x")
    assert (found.gender, found.races, unmapped) == (UNSET, UNSET, [])


def test_an_unknown_grade_refuses_a_current_student_only() -> None:
    assert [one.fatal for one in translate(a_record(grade="17"), TABLES, school="x")[1]] == [True]
    for status in (FUTURE, LEFT):
        assert translate(a_record(grade="17", status=status), TABLES, school="x")[1] == []


def test_what_was_not_sent_stays_unsent() -> None:
    found, unmapped = translate(a_record(), TABLES, school="x")
    assert (found.gender, found.races, found.contacts, unmapped) == (UNSET, UNSET, UNSET, [])


def test_case_counts_only_where_it_tells_codes_apart() -> None:
    table = Table({"a": "1", "A": "2", "Bee": "3", " C ": "4"})
    assert [table.get(code) for code in ("a", "A", "BEE", " bee ", "c", "d")] == ["1", "2", "3", "3", "4", None]


ALLERGIES = {**TABLES, "allergy": Table({"Peanut": "peanuts", "nuts": "peanuts", "none": NOT_STATED})}


def test_an_unknown_allergy_stays_in_its_own_words_beside_those_that_are_known() -> None:
    berry = "a berry from the valley, " * 8 + "eaten in June"
    found, unmapped = translate(a_record(allergies=("peanut", berry, "Nuts")), ALLERGIES, school="x")
    assert found.allergies == (("", berry), ("peanuts", "Nuts"), ("peanuts", "peanut"))
    assert unmapped == [Unmapped("allergy", berry, "allergies")]
    assert translate(found, ALLERGIES, school="x") == (found, unmapped)


def test_an_allergy_that_a_person_mapped_to_nothing_is_none() -> None:
    assert translate(a_record(allergies=("None", " ")), ALLERGIES, school="x")[0].allergies == ()


def test_allergies_without_a_mapping_keep_their_words_and_nobody_is_asked_for_a_value() -> None:
    found, unmapped = translate(a_record(allergies=("Peanut",)), TABLES, school="x")
    assert (found.allergies, unmapped) == ((("", "Peanut"),), [])


def test_no_word_is_lost_of_an_allergy_that_no_note_can_hold() -> None:
    words = " ".join(f"wörd{number}" for number in range(900))
    found, unmapped = translate(a_record(allergies=(words,)), ALLERGIES, school="x")
    assert isinstance(found.allergies, tuple)
    notes = [note for _, note in found.allergies]
    assert sorted(" ".join(notes).split()) == sorted(words.split())
    assert max(len(note.encode()) for note in notes) <= LONGEST_NOTE
    assert [one.code for one in unmapped] == [words]


@given(st.dictionaries(st.text(max_size=5), st.sampled_from("xyz"), max_size=6), st.text(max_size=6))
def test_a_table_is_total_and_finds_every_code_it_holds(values: dict[str, str], code: str) -> None:
    table = Table(values)
    assert table.get(code) in {None, *values.values()}
    for key in values:
        same = {ours for other, ours in values.items() if other.strip() == key.strip()}
        assert table.get(f" {key} ") in same
