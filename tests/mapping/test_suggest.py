"""Suggested values: why a code most likely means one of our values, and when nothing is said."""

from __future__ import annotations

import pytest

from mapping.choices import IGNORED, TABLES
from mapping.defaults import shipped_mappings
from mapping.suggest import NEVER_BLANK, Code, Suggestion, standards, suggest
from students.codes import NOT_STATED

GROVE = "Oak Grove Elementary"
SCHOOLS = {"994": "Golden Eagle High School (994)", "12": "Oak Grove Elementary (12)", "13": "Oak Hill Elementary (13)"}


def ours(entity: str) -> dict[str, str]:
    """Our values of an entity as the page of a mapping offers them."""
    return TABLES[entity] if entity in NEVER_BLANK else {**TABLES[entity], NOT_STATED: IGNORED}


def told(entity: str, code: str, description: str = "", **more: object) -> Suggestion | None:
    """The suggestion for a code, with the tables of all published standards at hand."""
    known = standards(shipped_mappings(), entity=entity, own=())
    return suggest(entity, Code(code=code, description=description, **more), ours=ours(entity), known=known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entity", "code", "description", "value", "reason"),
    [
        ("gender", "F", "Female", "F", "The code is ours, same description"),
        ("gender", "f", "", "F", "The code is ours"),
        ("gender", "3", "Non-Binary", "X", "Same description"),
        ("race", "302", "Guamanian", "pacific_islander", "Known code (CALPADS)"),
        ("race", "B", "Black/African American", "black", "Same description"),
        ("race", "7", "WHITE", "white", "Same description"),
        ("language", "fas", "", "fa", "Known code (ISO 639)"),
        ("language", "16", "Farsi (Persian)", "fa", "Known code (CALPADS), same description"),
        ("language", "Spanish", "", "es", "Known code (ISO 639), same description"),
        ("grade_level", "03", "", "3", "The code is ours, known code (CEDS)"),
        ("grade_level", "X9", "Ninth Grade", "9", "Same description"),
        ("grade_level", "X9", "Grade 9", "9", "Same description"),
        ("relationship", "10", "Mother", "mother", "Same description"),
        ("relationship", "LG", "Legal Guardian", "guardian", "Same description"),
        ("relationship", "F", "Niñera (Caregiver)", "caregiver", "Same description"),
        ("allergy", "PN", "Peanut", "peanuts", "Same description"),
        ("state", "CA", "California", "CA", "The code is ours, known code (USPS), same description"),
        ("gender", "U", "Declined to State", NOT_STATED, "It says that nothing was stated"),
    ],
)
def test_value_comes_with_its_reason_when_all_signs_agree(
    entity: str, code: str, description: str, value: str, reason: str
) -> None:
    assert told(entity, code, description) == Suggestion(value, reason)


def test_federal_category_decides_when_the_description_says_nothing() -> None:
    assert told("race", "FI", "Filipino", category="Asian") == Suggestion("asian", "Same federal category")


@pytest.mark.parametrize(
    ("entity", "code", "description", "reason"),
    [
        ("gender", "M", "Unknown", "The code speaks for Male, its description for nothing stated. Choose one"),
        ("gender", "F", "Male", "The code speaks for Female, its description for Male. Choose one"),
        (
            "grade_level",
            "1",
            "Kindergarten",
            "The code speaks for Grade 1, its description for Kindergarten. Choose one",
        ),
    ],
)
def test_no_value_is_preselected_when_code_and_description_disagree(
    entity: str, code: str, description: str, reason: str
) -> None:
    assert told(entity, code, description) == Suggestion("", reason)


def test_number_of_the_systems_own_says_nothing_by_itself() -> None:
    assert suggest("grade_level", Code(code="1", opaque=True), ours=ours("grade_level")) is None
    found = suggest("grade_level", Code(code="1", description="Kindergarten", opaque=True), ours=ours("grade_level"))
    assert found == Suggestion("K", "Same description")


@pytest.mark.parametrize(
    ("entity", "code", "description"),
    [
        ("relationship", "Q1", "Parole officer"),
        ("language", "Z9", "Chinese"),
        ("gender", "", ""),
        ("grade_level", "99", "Unknown"),
        ("race", "X", "Other"),
    ],
)
def test_nothing_is_suggested_when_nothing_speaks_for_one_value(entity: str, code: str, description: str) -> None:
    assert told(entity, code, description) is None


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ("994", "Golden Eagle High School", Suggestion("994", "The code is ours, same name")),
        ("0012", "Oak Grove Elem", Suggestion("12", "The code is ours, same name")),
        ("994", "", Suggestion("994", "The code is ours")),
        ("5", "OAK HILL ELEMENTARY SCHOOL", Suggestion("13", "Same name")),
        ("77", "Willow Middle", None),
        ("12", "Willow Middle", Suggestion("", f"The code is that of {GROVE}, but the name is another. Choose one")),
        (
            "12",
            "Oak Hill Elementary",
            Suggestion("", f"The code speaks for {GROVE}, its description for Oak Hill Elementary. Choose one"),
        ),
    ],
)
def test_school_is_suggested_by_code_then_by_name(code: str, name: str, expected: Suggestion | None) -> None:
    assert suggest("building", Code(code=code, description=name), ours=SCHOOLS) == expected


def test_name_that_two_schools_share_is_left_to_the_person() -> None:
    twice = {"1": "Oak Grove (1)", "2": "Oak Grove (2)"}

    found = suggest("building", Code(code="8", description="Oak Grove School"), ours=twice)

    assert found == Suggestion("", "Several of our schools are called Oak Grove. Choose one")


def test_table_of_the_system_counts_beside_the_standards() -> None:
    found = standards(shipped_mappings(), entity="relationship", own=("Aeries Relationship",))

    assert list(found) == ["Aeries Relationship"]
    assert suggest("relationship", Code(code="10"), ours=ours("relationship"), known=found) == Suggestion(
        "mother", "Known code (Aeries Relationship)"
    )
