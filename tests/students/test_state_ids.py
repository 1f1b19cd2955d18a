"""State IDs are the same whatever leading zeros they lost."""

from __future__ import annotations

import pytest

from students.state_ids import LONGEST, bare_state_id, spellings


@pytest.mark.parametrize(
    ("state_id", "bare"), [("0012340", "12340"), ("12340", "12340"), ("0A1", "A1"), ("000", "000"), ("", "")]
)
def test_leading_zeros_alone_are_cut_and_never_all_of_an_id(state_id: str, bare: str) -> None:
    assert bare_state_id(state_id) == bare


@pytest.mark.parametrize("state_id", ["0012340", "12340", "0A1", "1" * (LONGEST + 3)])
def test_every_spelling_is_the_same_id_and_fits(state_id: str) -> None:
    told = spellings(state_id)
    assert state_id in told
    assert {bare_state_id(one) for one in told} == {bare_state_id(state_id)}
    assert max(map(len, told)) == max(LONGEST, len(state_id))


def test_zeros_alone_have_one_spelling_and_a_blank_none() -> None:
    assert (spellings("000"), spellings("")) == (["000"], [])
