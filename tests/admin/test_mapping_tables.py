"""Data entity mappings on screen: values in place, and as tables in and out."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from mapping.models import DataEntityMapping, DataEntityMappingValue
from mapping.resources import escaped, unescaped
from tests.factories.integrations import IntegrationFactory
from tests.factories.mapping import DataEntityMappingFactory, mapping_of
from tests.factories.students import SchoolFactory

VALUES = "/admin/mapping/dataentitymappingvalue/"
LIST = "/admin/mapping/dataentitymapping/"
CSV, XLSX = "0", "1"


def _upload(client: Client, mapping: DataEntityMapping, content: str | bytes, *, kind: str = CSV) -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile("codes.csv", data)
    return client.post(
        f"{VALUES}import/", {"mapping": mapping.pk, "import_file": file, "format": kind, "resource": "0"}
    )


def _confirm(client: Client, previewed: Any) -> Any:
    return client.post(f"{VALUES}process_import/", previewed.context["confirm_form"].initial, follow=True)


def _codes(mapping: DataEntityMapping) -> dict[str, str]:
    return dict(mapping.values.values_list("external_value", "value"))


def _problems(response: Any) -> list[str]:
    result = response.context["result"]
    rows = [str(error.error) for _, errors in result.row_errors() for error in errors]
    return [str(error.error) for error in result.base_errors] + rows


def test_import_shows_first_and_writes_after_confirmation(registrar: Client) -> None:
    mapping = mapping_of("gender", {"F": "F"})

    previewed = _upload(registrar, mapping, "External Value,Our Value\nF,M\nW,female\n")
    before = _codes(mapping)
    _confirm(registrar, previewed)

    assert before == {"F": "F"}
    assert _codes(mapping) == {"F": "M", "W": "F"}


def test_import_takes_xlsx_with_numbers_as_codes(registrar: Client) -> None:
    mapping = mapping_of("grade_level", {})
    sheet = tablib.Dataset(headers=["External Value", "Our Value"])
    sheet.append([7, "Grade 7"])
    sheet.append([8.0, 8])

    _confirm(registrar, _upload(registrar, mapping, sheet.export("xlsx"), kind=XLSX))

    assert _codes(mapping) == {"7": "7", "8": "8"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("External Value,Our Value\nF,F\nQ,Purple\n", "“Purple”, for the code “Q”, is not one of our values"),
        ("External Value,Our Value\nF,F\nF,M\n", "The code “F” stands in line 2 already"),
        ('External Value,Our Value\n"A\tB",F\n', "The code “A·B” holds a tab or a line break"),
        (f"External Value,Our Value\n{'x' * 121},F\n", "is longer than 120 characters"),
        ("External Value,Our Value\nQ,\n", "For “Q” the column “Our Value” is empty"),
        ("Code,Our Value\nQ,F\n", "The file has no column “External Value”"),
    ],
    ids=["unknown value", "twice", "tab", "too long", "empty", "no column"],
)
def test_import_names_the_fault_and_saves_nothing(registrar: Client, content: str, sentence: str) -> None:
    mapping = mapping_of("gender", {"M": "M"})

    response = _upload(registrar, mapping, content)

    assert [sentence in problem for problem in _problems(response)] == [True]
    assert "confirm_form" not in response.context
    assert "Traceback" not in response.content.decode()
    assert _codes(mapping) == {"M": "M"}


def test_import_of_something_else_than_a_table_is_one_sentence(registrar: Client) -> None:
    mapping = mapping_of("gender", {})

    response = _upload(registrar, mapping, b"\xff\xfe\x00\x01")

    assert "cannot be read in the format chosen" in response.content.decode()
    assert "UnicodeDecodeError" not in response.content.decode()


def test_import_saves_nothing_when_values_changed_since_the_preview(registrar: Client) -> None:
    school = SchoolFactory.create(code="101")
    mapping = mapping_of("building", {})
    previewed = _upload(registrar, mapping, f"External Value,Our Value\n1,{school.code}\n")
    school.delete()

    response = _confirm(registrar, previewed)

    assert "Nothing was imported" in response.content.decode()
    assert _codes(mapping) == {}


def test_import_needs_the_permission_to_change(looker: Client) -> None:
    mapping = mapping_of("gender", {})

    response = _upload(looker, mapping, "External Value,Our Value\nF,F\n")

    assert response.status_code == 403


def test_export_escapes_formulas_and_import_takes_them_back(registrar: Client) -> None:
    codes = {"=1+1": "F", "+x": "F", "-x": "M", "@x": "M", "'=y": "X", "plain": "X"}
    mapping = mapping_of("gender", codes)
    other = mapping_of("gender", {})

    response = registrar.post(f"{VALUES}export/?mapping__id__exact={mapping.pk}", {"format": CSV, "resource": "0"})
    exported = response.content.decode("utf-8-sig")
    _confirm(registrar, _upload(registrar, other, exported))

    cells = [row[0] for row in tablib.Dataset().load(io.StringIO(exported), format="csv")]
    assert sorted(cells) == sorted(["'=1+1", "'+x", "'-x", "'@x", "''=y", "plain"])
    assert _codes(other) == codes


@given(st.text())
def test_what_is_escaped_comes_back(text: str) -> None:
    assert unescaped(escaped(text)) == text


def test_entity_cannot_change_once_saved(registrar: Client) -> None:
    mapping = DataEntityMappingFactory.create(name="Genders", entity="gender")
    page = f"{LIST}{mapping.pk}/change/"

    registrar.post(
        page,
        {
            "name": "Renamed",
            "entity": "race",
            "active": "on",
            "values-TOTAL_FORMS": 0,
            "values-INITIAL_FORMS": 0,
        },
    )

    mapping.refresh_from_db()
    assert (mapping.name, mapping.entity) == ("Renamed", "gender")


def test_values_offer_our_values_of_the_entity(registrar: Client) -> None:
    school = SchoolFactory.create(code="101", name="Lincoln Elementary")
    mapping = mapping_of("building", {"994": school.code})

    page = registrar.get(f"{LIST}{mapping.pk}/change/").content.decode()

    assert '<option value="101" selected>Lincoln Elementary (101)</option>' in page


def test_values_are_edited_in_place(registrar: Client) -> None:
    mapping = mapping_of("gender", {"W": "M"})
    row = DataEntityMappingValue.objects.get(mapping=mapping)

    registrar.post(
        f"{LIST}{mapping.pk}/change/",
        {
            "name": mapping.name, "active": "on", "values-TOTAL_FORMS": 2, "values-INITIAL_FORMS": 1,
            "values-0-id": row.pk, "values-0-mapping": mapping.pk, "values-0-external_value": "W",
            "values-0-value": "F", "values-1-mapping": mapping.pk, "values-1-external_value": "M",
            "values-1-value": "M",
        },
    )  # fmt: skip

    assert _codes(mapping) == {"W": "F", "M": "M"}


def test_list_hides_inactive_until_asked(registrar: Client) -> None:
    mapping = DataEntityMappingFactory.create(name="Retired", active=False)

    assert mapping not in registrar.get(f"{LIST}?q=Retired").context["cl"].result_list
    assert mapping in registrar.get(f"{LIST}?q=Retired&inactive=yes").context["cl"].result_list


def test_mapping_in_use_is_not_deleted_and_says_by_what(registrar: Client) -> None:
    mapping = mapping_of("gender", {"W": "F"}, name="Genders")
    IntegrationFactory.create(name="North", gender=mapping)

    page = registrar.get(f"{LIST}{mapping.pk}/change/").content.decode()

    assert "It is in use, so it cannot be deleted" in page
    assert ">North</a>" in page
    assert f"{LIST}{mapping.pk}/delete/" not in page


def test_unused_mapping_is_deleted_from_below_its_values(registrar: Client) -> None:
    mapping = mapping_of("gender", {}, name="Genders")

    page = registrar.get(f"{LIST}{mapping.pk}/change/").content.decode()
    registrar.post(f"{LIST}{mapping.pk}/delete/", {"post": "yes"})

    assert f'href="{LIST}{mapping.pk}/delete/">Delete Genders</a>' in page
    assert not DataEntityMapping.objects.filter(pk=mapping.pk).exists()


def test_form_is_called_as_the_button_that_opens_it(registrar: Client) -> None:
    assert "Add New Data Entity Mapping" in registrar.get(LIST).content.decode()
    title = re.search(r"<title>(.*?)</title>", registrar.get(f"{LIST}add/").content.decode(), re.DOTALL)
    assert title is not None
    assert title[1].strip().startswith("Add New Data Entity Mapping")


def test_save_and_stay_keeps_the_page_open(registrar: Client) -> None:
    mapping = mapping_of("gender", {})
    page = f"{LIST}{mapping.pk}/change/"
    values = {"name": "Renamed", "active": "on", "values-TOTAL_FORMS": 0, "values-INITIAL_FORMS": 0, "_continue": ""}

    response = registrar.post(page, values)

    assert response.headers["Location"] == page
    assert "Save and stay" in registrar.get(page).content.decode()
