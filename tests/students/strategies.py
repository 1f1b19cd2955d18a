"""Hypothesis strategies for canonical records and for what we hold."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET

from students.differ import plain
from students.records import (
    CONTACT_FIELDS,
    LINK_FIELDS,
    STUDENT_PATHS,
    ContactRecord,
    EnrollmentRecord,
    StudentRecord,
)

words = st.text(alphabet="abÉ 1'", max_size=4)
sent_words = st.one_of(st.just(UNSET), st.none(), words)
days = st.dates(dt.date(2010, 1, 1), dt.date(2027, 6, 30))
codes = st.lists(st.sampled_from(["white", "black", "asian"]), unique=True, max_size=3)

allergies = st.lists(
    st.tuples(st.sampled_from(["", "peanuts", "latex"]), st.sampled_from(["Peanut", "É 1", "a'b"])),
    unique=True,
    max_size=3,
)


def _sent(name: str) -> st.SearchStrategy[Any]:
    if name == "birth_date":
        return st.one_of(st.just(UNSET), st.none(), days)
    if name == "races":
        return st.one_of(st.just(UNSET), codes.map(tuple))
    if name == "allergies":
        return st.one_of(st.just(UNSET), allergies.map(tuple))
    return sent_words


def _held(name: str) -> st.SearchStrategy[Any]:
    if name == "birth_date":
        return st.one_of(st.none(), days)
    if name == "allergies":
        return st.one_of(allergies, allergies.map(tuple))
    return codes if name == "races" else words


def _link(name: str) -> st.SearchStrategy[Any]:
    if name == "order":
        return st.integers(1, 9)
    return words if name == "relationship" else st.booleans()


students = st.fixed_dictionaries({name: _sent(name) for name in STUDENT_PATHS}).map(
    lambda values: StudentRecord(external_id="1", enrollment=EnrollmentRecord(school="110", grade_level="3"), **values)
)
"""A StudentRecord with every field sent, blank or not sent."""
held_students = st.fixed_dictionaries({name: _held(name) for name in STUDENT_PATHS})
"""Field → value, as the model holds a student."""


@st.composite
def contacts(draw: st.DrawFn, external_id: str = "7") -> ContactRecord:
    """A ContactRecord with every field sent, blank or not sent."""
    values = {name: draw(sent_words) for name in CONTACT_FIELDS}
    values |= {name: draw(st.one_of(st.just(UNSET), _link(name))) for name in LINK_FIELDS}
    return ContactRecord(external_id=external_id, **values)


@st.composite
def contact_lists(draw: st.DrawFn) -> list[ContactRecord]:
    """The contacts of one student, each id once."""
    ids = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
    return [draw(contacts(external_id)) for external_id in ids]


held_links = st.dictionaries(
    st.sampled_from("abcd"), st.fixed_dictionaries({name: _link(name) for name in LINK_FIELDS})
)
"""External id → link fields, as we hold them."""


def as_held(record: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a record in the form ``apply_fields`` gives; what it does not send is left out."""
    return {name: plain(getattr(record, name), name) for name in names if getattr(record, name) is not UNSET}
