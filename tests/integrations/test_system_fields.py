"""Which fields each student information system shows and requires, as the source document words it."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.connectors.registry import SYSTEMS
from integrations.models import Integration
from integrations.models.integration import MAPPING_FIELDS
from integrations.system_fields import (
    FIELDS,
    LABELS,
    check,
    hidden_fields_with_values,
    hidden_label,
    required_fields,
    shown_fields,
)

EIGHT = {"building", "ethnicity", "grade_level", "race", "state", "gender", "language", "relationship"}
COMMON = {"name", "system", "url", "family_identifier", "drop_students_not_in_file", *EIGHT}
RUNNING = {
    "environment",
    "import_enabled",
    "export_enabled",
    "guard_percent",
    "guard_count",
    "year",
    "rollover_percent",
    "rollover_count",
    "rollover_until",
    "error_owner",
    "purpose",
    "options",
}
CONSUMER = {"consumer_token", "consumer_secret"}
OWN = {
    "aeries": {
        "token",
        "academic_year",
        "primary_enrollment_codes",
        "alternate_enrollment_codes",
        "pictures_only",
        "use_local_id_as_pin",
        "use_contact_record",
    },
    "illuminate": {*CONSUMER, "user_token", "user_secret"},
    "powerschool": CONSUMER,
    "powerschool_query": {*CONSUMER, "allergy"},
    "schooltool": set(),
    "oneroster": CONSUMER,
}


def filled(system: str, **changes: Any) -> dict[str, Any]:
    """Values that satisfy a system, then changed."""
    values: dict[str, Any] = dict.fromkeys(FIELDS[system].required, "given")
    values["options"] = {"version": "1.2", "token_url": "https://x.example.org/token"}
    return {**values, "system": system, **changes}


@pytest.mark.parametrize("system", OWN)
def test_form_shows_exactly_its_fields_when_a_system_is_chosen(system: str) -> None:
    assert set(shown_fields(system, existing=False)) == COMMON | RUNNING | OWN[system]


def test_active_shows_only_when_the_integration_exists() -> None:
    assert "active" not in shown_fields("aeries", existing=False)
    assert shown_fields("aeries", existing=True)[-1] == "active"


def test_every_field_has_a_column_and_a_label_when_shown() -> None:
    columns = {field.name for field in Integration._meta.get_fields()}

    assert columns >= LABELS.keys()
    assert all(set(fields.shown) <= LABELS.keys() for fields in FIELDS.values())
    assert set(MAPPING_FIELDS) <= LABELS.keys()


def test_every_system_we_read_has_a_row_when_registered() -> None:
    assert SYSTEMS.keys() <= FIELDS.keys()
    assert all(FIELDS[key].title == label for key, (label, _) in SYSTEMS.items())


@pytest.mark.parametrize("system", OWN)
def test_nothing_is_wrong_when_all_required_fields_are_given(system: str) -> None:
    assert check(filled(system), system=system, existing=False) == {}


@pytest.mark.parametrize("system", OWN)
def test_each_required_field_is_named_when_blank(system: str) -> None:
    rules = FIELDS[system]

    for field in rules.required - {"system"}:
        faults = check(filled(system, **{field: "  "}), system=system, existing=False)
        assert faults == {field: f"{rules.label(field)} is required for {rules.title}."}


def test_the_eight_mappings_are_required_but_year_and_allergy_are_not() -> None:
    assert all(fields.required >= EIGHT for fields in FIELDS.values())
    assert not any({"academic_year", "allergy"} & fields.required for fields in FIELDS.values())


def test_five_fields_are_enough_when_pictures_only() -> None:
    given = {"name": "Photos", "url": "https://x", "token": "t", "building": 1, "pictures_only": True}

    assert check(given, system="aeries", existing=False) == {}
    assert check({**given, "token": ""}, system="aeries", existing=False) == {"token": "Token is required for Aeries."}


def test_pictures_only_frees_nothing_when_the_system_does_not_show_it() -> None:
    given = required_fields({"pictures_only": True}, system="powerschool")

    assert given == FIELDS["powerschool"].required


def test_blank_credentials_are_kept_when_the_integration_exists() -> None:
    values = filled("illuminate", consumer_secret="", user_token="")

    assert check(values, system="illuminate", existing=True) == {}
    assert check(values, system="illuminate", existing=False).keys() == {"consumer_secret", "user_token"}


def test_family_key_is_refused_when_the_system_has_none() -> None:
    chosen = ["head_of_household_last_name", "family_key"]

    assert check(filled("aeries", family_identifier=chosen), system="aeries", existing=False) == {}
    faults = check(filled("powerschool", family_identifier=chosen), system="powerschool", existing=False)
    assert faults == {
        "family_identifier": ("Family Identifier: Family Key is only available for Aeries, not for PowerSchool.")
    }


def test_unknown_family_identifier_is_named() -> None:
    faults = check(filled("aeries", family_identifier=["shoe_size"]), system="aeries", existing=False)

    assert "shoe_size" in faults["family_identifier"]


def test_token_url_may_stay_blank_when_oneroster_1_1_signs_its_requests_with_oauth_1() -> None:
    assert check(filled("oneroster", options={"version": "1.1"}), system="oneroster", existing=False) == {}
    assert check(filled("oneroster", options={"version": "1.2"}), system="oneroster", existing=False) != {}


def test_version_and_token_url_are_asked_for_when_oneroster() -> None:
    values = filled("oneroster", url="", consumer_token="", options={"version": "1.2"})

    assert check(values, system="oneroster", existing=False) == {
        "url": "Service URL is required for OneRoster.",
        "consumer_token": "Key is required for OneRoster.",
        "options": "Token URL is required for OneRoster.",
    }


def test_system_is_asked_for_when_unknown() -> None:
    assert check({}, system="", existing=False).keys() == {"system"}


def test_hidden_values_are_listed_when_another_system_is_chosen() -> None:
    values = filled(
        "aeries",
        use_contact_record=True,
        pictures_only=False,
        primary_enrollment_codes="",
        family_identifier=["family_key", "household_home_address"],
    )

    hidden = hidden_fields_with_values(values, system="powerschool")

    assert hidden == ["token", "family_identifier.family_key", "use_contact_record"]
    assert [hidden_label(field) for field in hidden] == [
        "Token",
        "Family Identifier: Family Key",
        "Use Contact Record",
    ]
    assert hidden_fields_with_values(values, system="aeries") == []


def test_user_token_and_secret_may_stay_blank_where_illuminate_signs_in_with_oauth_2() -> None:
    values = dict.fromkeys(FIELDS["illuminate"].required - {"user_token", "user_secret"}, "given")

    assert set(check(values, system="illuminate", existing=False)) >= {"user_token", "user_secret"}
    with_oauth2 = {**values, "options": {"sign_in": "oauth2"}}
    assert not {"user_token", "user_secret"} & set(check(with_oauth2, system="illuminate", existing=False))
