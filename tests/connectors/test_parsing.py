"""Values of other systems, however they are written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from integrations import parsing
from integrations.errors import RecordError, UnusableAnswer

ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(UNSET),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
READERS = (
    parsing.text,
    parsing.plain,
    parsing.required,
    parsing.date,
    parsing.integer,
    parsing.yes_no,
    parsing.phone,
    parsing.postal_code,
)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (UNSET, UNSET),
        (None, None),
        ("", None),
        (" ", None),
        ("\xa0 S \t", "S"),
        (0, "0"),
        (7.0, "7"),
        (7.5, "7.5"),
        ("0099400002", "0099400002"),
        ("‮Ana 👩‍🎓", "‮Ana 👩‍🎓"),
        ("=cmd()", "=cmd()"),
    ],
)
def test_text_is_trimmed_and_blank_is_none(value: Any, found: object) -> None:
    assert parsing.text(value, "Name") == found


@pytest.mark.parametrize(
    ("value", "code"),
    [(True, "bad_type"), ([], "bad_type"), ({}, "bad_type"), ("a\x00b", "bad_text"), ("x" * 256, "too_long")],
)
def test_text_is_refused_with_its_reason(value: Any, code: str) -> None:
    with pytest.raises(RecordError) as caught:
        parsing.text(value, "Name")

    assert (caught.value.code, caught.value.field) == (code, "Name")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2015-03-07", dt.date(2015, 3, 7)),
        ("2015-03-07T00:00:00", dt.date(2015, 3, 7)),
        ("2015-03-07T00:00:00.0000000-08:00", dt.date(2015, 3, 7)),
        ("0001-01-01T00:00:00", None),
        ("0000-00-00", None),
        ("1900-01-01T00:00:00", None),
        ("", None),
        (None, None),
        (UNSET, UNSET),
    ],
)
def test_date_is_read_and_a_day_before_1901_is_none(value: Any, found: object) -> None:
    assert parsing.date(value, "Birthdate") == found


@pytest.mark.parametrize(
    "value", ["2023-02-29", "02/29/2015", "31-12-2014", "12/31/14", "20150307", "2015-3-7", "2015-03-07x", 5]
)
def test_other_dates_are_refused(value: Any) -> None:
    with pytest.raises(RecordError) as caught:
        parsing.date(value, "Birthdate")

    assert caught.value.code == "bad_date"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("5595550142", "5595550142"),
        (5595550142, "5595550142"),
        ("(559) 555-0142", "5595550142"),
        ("559.555.0142", "5595550142"),
        ("+1 559 555 0142", "5595550142"),
        ("555-0142", "555-0142"),
        (" 559 555 0142 x7 ", "559 555 0142 x7"),
        ("+44 20 7946 0958", "+44 20 7946 0958"),
        ("none", "none"),
        ("", None),
    ],
)
def test_phone_is_ten_digits_or_as_sent(value: Any, found: object) -> None:
    assert parsing.phone(value, "HomePhone") == found


@pytest.mark.parametrize(
    ("value", "extension", "found"),
    [
        ("93601", "", "93601"),
        ("93601", "2204", "93601-2204"),
        ("93601", 204, "93601-0204"),
        ("93601", "0000", "93601"),
        (1234, None, "01234"),
        (12340007, None, "01234-0007"),
        ("936012204", "", "93601-2204"),
        ("85280-0044", "", "85280-0044"),
        ("K1A 0B1", "", "K1A 0B1"),
        ("", "2204", None),
        (UNSET, "2204", UNSET),
    ],
)
def test_postal_code_keeps_its_zeros_and_extension(value: Any, extension: Any, found: object) -> None:
    assert parsing.postal_code(value, "Zip", extension) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Y", True),
        ("yes", True),
        (True, True),
        (1, True),
        ("N", False),
        ("0", False),
        ("", UNSET),
        ("?", UNSET),
    ],
)
def test_yes_and_no_are_told_apart_from_not_stated(value: Any, found: object) -> None:
    assert parsing.yes_no(value, "LivesWith") is found


@pytest.mark.parametrize(
    ("raw", "count"), [(b'{"a": 1}', 1), (b"[1, 2]", 2), (b"[]", 0), (b'""', 0), (b"null", 0), (None, 0)]
)
def test_one_or_many_takes_every_way_to_write_a_list(raw: bytes | None, count: int) -> None:
    assert len(parsing.one_or_many(None if raw is None else Raw(raw))) == count


@pytest.mark.parametrize("raw", [b"7", b'"x"', b"true"])
def test_one_or_many_refuses_what_is_no_list(raw: bytes) -> None:
    with pytest.raises(UnusableAnswer):
        parsing.one_or_many(Raw(raw))


@pytest.mark.parametrize("body", [b"", b"[", b'[{"a":', b"[1] x", b"<html>", b"\xff", b"[" * 100_000])
def test_split_rows_refuses_what_is_no_json(body: bytes) -> None:
    with pytest.raises(UnusableAnswer, match="breaks off|no JSON"):
        parsing.split_rows(body, where="Testing")


@pytest.mark.parametrize("body", [b"null", b"{}", b"7", b'"[]"'])
def test_split_rows_refuses_what_is_no_list(body: bytes) -> None:
    with pytest.raises(UnusableAnswer, match="Testing sent something else"):
        parsing.split_rows(body, where="Testing")


@given(ANY_VALUE)
def test_no_value_raises_anything_but_a_record_error(value: Any) -> None:
    fields = set()
    for reader in READERS:
        try:
            reader(value, "Field")
        except RecordError as error:
            fields.add(error.field)

    assert fields <= {"Field"}


@given(st.text(max_size=40))
def test_reading_a_text_twice_changes_nothing(value: str) -> None:
    for reader in (parsing.text, parsing.phone, parsing.postal_code):
        try:
            once = reader(value, "Field")
        except RecordError:
            continue
        assert reader(once, "Field") == once
