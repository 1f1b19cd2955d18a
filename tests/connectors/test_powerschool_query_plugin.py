"""The plugin: what PowerSchool takes, asking for what the queries read and nothing else, the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import pytest

from integrations.connectors.powerschool_query import plugin
from integrations.connectors.powerschool_query.connector import PowerSchoolQueryConnector
from integrations.connectors.powerschool_query.plugin import FILE_NAME, PREFIX, plugin_zip
from integrations.errors import ConfigurationError
from integrations.sandbox.powerschool_plugin import Plugin, installed, used_fields


def put_in(**chosen: bool) -> Plugin:
    """The plugin as a PowerSchool server installs it."""
    return installed(plugin_zip(**chosen))


def test_plugin_can_be_installed_and_may_read_all_its_queries_show() -> None:
    found = put_in()

    assert len(found.name) <= 40
    assert set(found.queries) == {PREFIX + name for name in plugin.installed_queries()}
    assert used_fields(found.queries) <= found.fields
    assert found.access_level == "NONE"


def test_plugin_asks_for_the_fields_its_queries_join_by() -> None:
    assert {"studentcorefields.studentsdcid", "studentcontactassoc.studentdcid", "students.id"} <= put_in().fields


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("allergies", "studentcorefields.allergies"),
        ("contacts", "person.lastname"),
        ("contacts", "phonenumber.phonenumber"),
        ("emails", "psm_studentcontact.email"),
    ],
)
def test_plugin_asks_for_nothing_that_is_not_read(option: str, field: str) -> None:
    less = put_in(**{option: False})

    assert field in put_in().fields
    assert field not in less.fields
    assert less.fields < put_in().fields
    assert used_fields(less.queries) <= less.fields


def test_every_field_is_for_viewing_and_none_is_the_social_security_number() -> None:
    with zipfile.ZipFile(io.BytesIO(plugin_zip())) as archive:
        root = ElementTree.fromstring(archive.read("plugin.xml"))  # noqa: S314 - our own
    fields = [one for one in root.iter() if one.tag.endswith("field")]

    assert {one.get("access") for one in fields} == {"ViewOnly"}
    assert not [one for one in fields if one.get("field") in ("SSN", "LUNCHSTATUS", "LUNCH_STATUS")]
    assert len(fields) == len({(one.get("table"), one.get("field")) for one in fields})


def test_same_choice_gives_the_same_bytes() -> None:
    assert plugin_zip() == plugin_zip()
    assert plugin_zip(contacts=False) != plugin_zip()


def test_connector_hands_out_the_plugin_its_options_need() -> None:
    assert PowerSchoolQueryConnector.files({}) == {FILE_NAME: plugin_zip()}
    assert PowerSchoolQueryConnector.files({"allergies": False}) == {FILE_NAME: plugin_zip(allergies=False)}
    with pytest.raises(ConfigurationError):
        PowerSchoolQueryConnector.files({"allergies": "no"})


@pytest.mark.parametrize("name", plugin.installed_queries())
def test_query_shows_its_columns_in_the_order_of_its_select(name: str) -> None:
    query = put_in().queries[PREFIX + name]
    select = " ".join(query.sql.split()).removeprefix("select ").partition(" from ")[0]
    shown = [part.rpartition(" as ")[2].rpartition(".")[2].strip() for part in select.split(",")]

    assert [alias for _, alias in query.columns] == shown
    assert " order by " in " ".join(query.sql.split())
