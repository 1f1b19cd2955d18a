"""An answer is cut into the same records whatever its length and wherever the windows end."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.powerschool_query.split import LARGEST, split
from integrations.errors import UnusableAnswer

TEXTS = st.text(alphabet='ab{}[],:"\\ \nrecord', max_size=12)
RECORDS = st.lists(st.dictionaries(TEXTS, TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=4), max_size=12)


def cut(body: bytes, window: int = 1 << 20) -> tuple[list[Any], int | None]:
    """The records of an answer, decoded, and the total it states."""
    found: list[Any] = []
    total = split(
        io.BytesIO(body), lambda rows: found.extend(json.loads(bytes(row)) for row in rows), where="Here", window=window
    )
    return found, total


@given(records=RECORDS, window=st.integers(30, 400), indent=st.sampled_from([None, 1]))
def test_records_are_the_same_whatever_the_window(records: list[Any], window: int, indent: int | None) -> None:
    answer = {"name": 'x "record":[', "record": records, "@extensions": "", "count": len(records)}

    assert cut(json.dumps(answer, indent=indent).encode(), window) == (records, len(records))


@given(records=RECORDS, window=st.integers(30, 400), data=st.data())
def test_answer_that_breaks_off_is_refused_wherever_it_does(records: list[Any], window: int, data: Any) -> None:
    body = json.dumps({"record": records, "@extensions": ""}).encode()

    with pytest.raises(UnusableAnswer, match="Here"):
        cut(body[: data.draw(st.integers(1, len(body) - 1))], window)


@pytest.mark.parametrize(
    ("body", "rows", "total"),
    [
        (b'{"@extensions":""}', 0, None),
        (b'{"@extensions":"","count":0}', 0, 0),
        (b'{"name":"students","record":[],"@extensions":""}', 0, None),
        (b'{"count":"2","record":[{"a":"1"},{"a":"2"}]}', 2, 2),
        (b'{"record":{"a":"1"},"@extensions":""}', 1, None),
        (b'{"record":[{"a":"1"}],"count":"many"}', 1, None),
    ],
)
def test_few_records_or_none_are_read(body: bytes, rows: int, total: int | None) -> None:
    found, stated = cut(body)

    assert (len(found), stated) == (rows, total)


def test_total_before_the_records_is_told_too() -> None:
    body = b'{"count":3,"record":[' + b",".join([b'{"a":"%b"}' % (b"x" * 50)] * 3) + b'],"@extensions":""}'

    assert cut(body, 40)[1] == 3


@pytest.mark.parametrize(
    "body",
    [
        b"null", b"[]", b'"record"', b"{}", b'{"message":"An error has occurred."}',
        b'{"record":["a"],"@extensions":""}',
        b'{"record":"a","@extensions":""}', b'{"record":null,"@extensions":""}',
        b'{"record":[{"a":1}]} more', b'{"record":[{"a":1},],"@extensions":""}',
        b'{"record":[{"a":1} {"a":2}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("window", [12, 1 << 20])
def test_answer_that_is_none_is_refused(body: bytes, window: int) -> None:
    with pytest.raises(UnusableAnswer, match="Here"):
        cut(body, window)


def test_record_that_never_ends_is_refused() -> None:
    with pytest.raises(UnusableAnswer):
        cut(b'{"record":[{"a":"' + b"x" * (LARGEST + (2 << 20)) + b'"}]}')


def test_memory_does_not_grow_with_the_answer() -> None:
    window, record = 1 << 14, b'{"_name":"students","_id":1,"last_name":"' + b"x" * 400 + b'"},'
    most = []
    for rows in (400, 8000):
        file = io.BytesIO(b'{"record":[' + record * rows + b'{}],"@extensions":"","count":%d}' % (rows + 1))
        seen: list[int] = []
        tracemalloc.start()
        assert split(file, lambda found: seen.append(len(found)), where="Here", window=window) == sum(seen) == rows + 1  # noqa: B023
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert most[1] < most[0] + 40_000
