"""Values as a registrar reads them."""

from __future__ import annotations

import pytest

from students.labels import allergy_label, exit_label, lockable_fields, ownable_fields, phone_label, value_label


@pytest.mark.parametrize(
    "stored", ["5595550142", "559-555-0142", "(559) 555-0142", "559.555.0142", "1 559 555 0142", "+15595550142"]
)
def test_north_american_number_is_told_in_one_way(stored: str) -> None:
    assert phone_label(stored) == "(559) 555-0142"


@pytest.mark.parametrize("stored", ["", "555-0142", "5595550142 x12", "+44 20 7946 0958", "ask at the office"])
def test_any_other_number_is_told_as_it_is_stored(stored: str) -> None:
    assert phone_label(stored) == stored


@pytest.mark.parametrize(
    ("stored", "told"),
    [("", ""), ("E155", "exit code E155 of the SIS"), ("*", "exit code * of the SIS"), ("year ended", "year ended")],
)
def test_code_of_the_sis_is_called_what_it_is(stored: str, told: str) -> None:
    assert exit_label(stored) == told


@pytest.mark.parametrize(
    ("allergy", "note", "told"),
    [
        ("peanuts", "PN", "Peanuts (“PN”)"),
        ("peanuts", "PEANUTS", "Peanuts"),
        ("peanuts", "", "Peanuts"),
        ("", "dragon fruit", "“dragon fruit”"),
    ],
)
def test_allergy_is_told_in_our_word_and_in_the_words_of_the_source(allergy: str, note: str, told: str) -> None:
    assert allergy_label(allergy, note) == told


def test_allergies_are_told_in_one_line_and_can_be_locked_and_owned() -> None:
    assert value_label("student", "allergies", [["latex", ""], ["", "kiwi"]]) == "Latex, “kiwi”"
    assert value_label("student", "allergies", []) == "(blank)"
    assert ("allergies", "Allergies") in lockable_fields()
    assert ("student.allergies", "Allergies") in dict(ownable_fields())["Student"]
