"""Who is one family, and who is not."""

from __future__ import annotations

import pytest

from students.families import family_key, name_key, same_name
from students.records import Household

HOME = ["head_of_household_last_name", "household_home_address"]


def key(chosen: list[str] | None = None, *, namespace: str = "", **values: str) -> str | None:
    return family_key(Household(**values), HOME if chosen is None else chosen, namespace=namespace)


def test_equal_households_are_one_family_however_they_are_written() -> None:
    one = key(head_last_name="O’Shaughnessy", home_address="12 North Oak Street, Apartment 4, Visalia, CA, 93291")
    two = key(head_last_name="OSHAUGHNESSY ", home_address="12 N. Oak St  Apt 4 Visalia CA 93291")
    assert one is not None
    assert one == two


def test_accents_do_not_part_a_family() -> None:
    one = key(head_last_name="Núñez", home_address="1 Elm St")
    assert one == key(head_last_name="NUN\u0303EZ", home_address="1 elm street")


@pytest.mark.parametrize(
    "values",
    [
        {"head_last_name": "", "home_address": "1 Elm St"},
        {"head_last_name": "Poe", "home_address": " "},
        {"head_last_name": "-", "home_address": "1 Elm St"},
        {},
    ],
)
def test_a_blank_in_any_chosen_field_is_no_family(values: dict[str, str]) -> None:
    assert key(**values) is None


def test_families_differ_when_any_chosen_field_differs() -> None:
    home = {"head_last_name": "Poe", "home_address": "1 Elm St"}
    assert key(**home) != key(**{**home, "head_last_name": "Roe"})
    assert key(**home) != key(**{**home, "home_address": "2 Elm St"})


def test_strangers_with_one_placeholder_phone_are_no_family_whatever_else_is_equal() -> None:
    chosen = ["head_of_household_home_phone", "head_of_household_last_name"]
    assert key(chosen, head_home_phone="555-5555", head_last_name="Smith") is None


def test_nothing_chosen_is_no_family() -> None:
    assert key([], head_last_name="Poe") is None


@pytest.mark.parametrize("number", ["", "0", "000", " 0 "])
def test_family_key_zero_is_no_family(number: str) -> None:
    assert key(["family_key"], family_key=number) is None


@pytest.mark.parametrize(
    "number",
    [
        "000-0000",
        "5595555555",
        "(559) 000-0000",
        "1234567",
        "(999) 999-9999",
        "111-1111",
        "911",
        "",
        "530-111-1111",
        "(530) 222-2222",
        "530-333-3333 x12",
    ],
)
def test_a_placeholder_phone_joins_nobody(number: str) -> None:
    assert key(["head_of_household_home_phone"], head_home_phone=number) is None


def test_a_phone_is_the_same_with_and_without_the_country_code() -> None:
    chosen = ["head_of_household_home_phone"]
    assert key(chosen, head_home_phone="+1 (559) 200-0042") == key(chosen, head_home_phone="5592000042")


def test_the_extension_of_a_phone_does_not_count() -> None:
    chosen = ["head_of_household_home_phone"]
    plain = key(chosen, head_home_phone="(559) 200-0042")
    assert plain is not None
    assert {key(chosen, head_home_phone=f"5592000042{more}") for more in (" x12", " ext. 12", "#12")} == {plain}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("14 Peña St", "14 PENA STREET"),
        ("1 Elm St, Ilion, NY, 13357-1234", "1 Elm St, Ilion, NY, 13357"),
        ("1 Elm St #1", "1 Elm St Apt 1"),
        ("1 Elm St, Unit #1", "1 Elm St, Apartment 1"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(one: str, two: str) -> None:
    assert key(["household_home_address"], home_address=one) == key(["household_home_address"], home_address=two)


def test_two_flats_of_a_house_are_two_addresses() -> None:
    chosen = ["household_home_address"]
    assert key(chosen, home_address="1 Elm St #1") != key(chosen, home_address="1 Elm St #2")


def test_family_numbers_of_two_systems_are_kept_apart_and_households_are_not() -> None:
    number = ["family_key"]
    assert key(number, namespace="1", family_key="7") != key(number, namespace="2", family_key="7")
    home = {"head_last_name": "Poe", "home_address": "1 Elm St"}
    assert key(namespace="1", **home) == key(namespace="2", **home)


def test_the_order_of_choosing_does_not_matter() -> None:
    home = {"head_last_name": "Poe", "home_address": "1 Elm St"}
    assert key(HOME, **home) == key(HOME[::-1], **home)


def test_values_do_not_run_into_each_other() -> None:
    chosen = ["head_of_household_first_name", "head_of_household_last_name"]
    assert key(chosen, head_first_name="Ann", head_last_name="Apoe") != key(
        chosen, head_first_name="Anna", head_last_name="Poe"
    )


def test_a_key_holds_no_readable_data() -> None:
    found = key(head_last_name="Poe", home_address="1 Elm St")
    assert found is not None
    assert "poe" not in found
    assert len(found) == 32


def test_names_compare_without_case_accents_and_punctuation() -> None:
    assert same_name("José-María O'Neil") == same_name("JOSE MARIA ONEIL")
    assert same_name("ليلى") != ""
    assert name_key("Ann", "Apoe") != name_key("Anna", "Poe")
