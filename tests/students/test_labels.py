"""Values as a registrar reads them."""

from __future__ import annotations

import pytest

from students.labels import exit_label, phone_label


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
