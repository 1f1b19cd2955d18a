"""The quirks of PowerSchool Query as a server: the plugin, its rights, whole answers in files, the proof of them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from integrations.connectors.base import Check, Connector, Tenant
from integrations.connectors.powerschool_query import plugin
from integrations.connectors.powerschool_query.client import FieldsMissing
from integrations.connectors.powerschool_query.plugin import plugin_zip
from integrations.errors import PermissionMissing, RequestRefused, SystemUnavailable, UnusableAnswer
from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox
from tests.connectors.reading import STUDENTS, connected, content, one_school, read, school_of
from tests.connectors.web import send, served

ALLERGIES = "studentcorefields.allergies"
LINE = '<field table="STUDENTCOREFIELDS" field="ALLERGIES" access="ViewOnly"/>'


@pytest.fixture
def sis() -> Iterator[Sandbox]:
    with start("powerschool_query", District.generate(students=60, seed=3, schools=2, messy=False)) as server:
        yield server


def failed(connector: Connector) -> list[Check]:
    """The lines of a check that are not good."""
    return [line for line in connector.check() if not line.ok]


def query_of(entry: dict[str, Any]) -> str:
    """The short name of the query a request of the truth log asked."""
    return str(entry["path"]).partition(plugin.PREFIX)[2]


def test_plugin_we_hand_out_is_all_the_connector_needs(sis: Sandbox) -> None:
    with connected(sis) as connector:
        before = {record.external_id: content(record) for record in one_school(connector, sis).records}
        sis.vendor.install(plugin_zip())  # type: ignore[attr-defined]  # of this vendor only
        after = {record.external_id: content(record) for record in one_school(connector, sis).records}
        assert failed(connector) == []

    assert before == after
    assert sis.vendor.switch["access_level"] == "NONE"


@pytest.mark.parametrize(
    "options", [{"allergies": False}, {"contacts": False}, {"emails": False}, dict.fromkeys(plugin.OPTIONAL, False)]
)
def test_smaller_plugin_is_enough_when_less_is_read(sis: Sandbox, options: dict[str, bool]) -> None:
    sis.vendor.install(plugin_zip(**options))  # type: ignore[attr-defined]  # of this vendor only
    with connected(sis, options=options) as connector:
        assert failed(connector) == []
        reading = one_school(connector, sis)
        record = connector.normalise(reading.records[0], connector.schools()[1])

    assert reading.problems == []
    for name, value in (("allergies", record.allergies), ("contacts", record.contacts), ("emails", record.email)):
        assert (value is UNSET) == (name in options)


def test_fields_that_are_not_granted_become_lines_for_the_plugin(sis: Sandbox) -> None:
    sis.vendor.switch["denied_fields"] = [ALLERGIES]
    with connected(sis) as connector:
        with pytest.raises(FieldsMissing, match="STUDENTCOREFIELDS.ALLERGIES") as caught:
            one_school(connector, sis)
        lines = failed(connector)

    assert caught.value.lines == (LINE,)
    assert caught.value.message.endswith(f"\n{LINE}")
    assert [line.name for line in lines] == ["Allergies"]
    assert "STUDENTCOREFIELDS.ALLERGIES" in lines[0].message
    assert lines[0].remedy.endswith(f"\n{LINE}")


def test_check_names_every_query_with_missing_fields_at_once(sis: Sandbox) -> None:
    sis.vendor.switch["denied_fields"] = ["students.dcid", "students.zip", "PERSON.LASTNAME"]
    with connected(sis) as connector:
        lines = {line.name: line.remedy for line in failed(connector)}

    assert {"Students", "Races", "Contacts", "Allergies"} <= set(lines)
    assert lines["Students"].count("<field ") == 2
    assert '<field table="PERSON" field="LASTNAME" access="ViewOnly"/>' in lines["Contacts"]


def test_missing_plugin_is_told_with_the_way_to_install_it(sis: Sandbox) -> None:
    sis.vendor.switch["plugin"] = False
    with connected(sis) as connector:
        with pytest.raises(PermissionMissing, match="plugin is missing"):
            connector.schools()
        (line,) = failed(connector)

    assert line.name == "Plugin"
    assert "Plugin Management Configuration" in line.remedy


def test_refused_arguments_are_told_in_the_systems_words() -> None:
    with start("powerschool_query", students=20) as sis, connected(sis) as connector:
        client = connector._client  # type: ignore[attr-defined]  # of this vendor only
        with pytest.raises(RequestRefused, match="school is required"):
            client.rows(plugin.ROSTER, {}, doing="read students")


def test_a_school_is_asked_for_whole_once_a_query(sis: Sandbox) -> None:
    with connected(sis, page_size=5) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        sis.truth.clear()
        reading = read(connector, source)

    asked = [query_of(entry) for entry in sis.truth if "/query/" in entry["path"]]
    counts = [name for name in asked if name.endswith("/count")]
    assert len(reading.pages) > 4
    assert counts == [f"{plugin.ROSTER}/count"] * 2
    assert sorted(set(asked) - set(counts)) == sorted(plugin.queries()[2:])
    assert len(asked) == len(plugin.queries()) - 2 + 2
    assert {entry["query"]["pagesize"] for entry in sis.truth if not entry["path"].endswith("/count")} == {"0"}


def test_total_is_asked_for_when_the_answer_states_none(sis: Sandbox) -> None:
    sis.vendor.switch["counts"] = False
    with connected(sis) as connector:
        assert one_school(connector, sis).problems == []
        sis.faults.add("F43", path=rf"{plugin.PHONES}/count$")
        with pytest.raises(UnusableAnswer, match="rows of"):
            one_school(connector, sis)


@pytest.mark.parametrize("name", plugin.queries()[3:])
def test_rows_missing_from_another_list_are_never_taken_for_gone(sis: Sandbox, name: str) -> None:
    if name == plugin.ALLERGIES:
        for child in sis.district.active_children():
            sis.district.change(child.id, allergies="Peanut")
    sis.faults.add("F28", path=rf"\.{name}$", keep=1)
    with connected(sis) as connector, pytest.raises(UnusableAnswer, match="sent 1 rows of"):
        one_school(connector, sis)


def test_rows_of_nobody_in_another_list_are_refused(sis: Sandbox) -> None:
    sis.faults.add("F31", path=r"\.students\.races$", field="studentdcid", how="missing")
    with connected(sis) as connector, pytest.raises(UnusableAnswer, match="name no student"):
        one_school(connector, sis)


def test_school_that_changes_while_it_is_read_is_told(sis: Sandbox) -> None:
    school = sis.district.real_schools[0].number
    with connected(sis, page_size=5) as connector:
        source = school_of(connector, school)
        pages = connector.pages(source)
        next(pages)
        sis.district.leave(sis.district.children_in(school)[0].id)
        assert [problem for page in pages for problem in page.problems] == []
        assert {problem.code for problem in connector.confirm(source)} == {"count_disagrees"}


def test_school_that_was_not_read_is_not_confirmed(sis: Sandbox) -> None:
    with connected(sis) as connector:
        assert connector.confirm(school_of(connector, sis.district.real_schools[0].number))


def test_one_row_again_instead_of_another_is_told(sis: Sandbox) -> None:
    first = len(sis.district.children_in(sis.district.real_schools[0].number))
    sis.faults.add("F28", path=r"\.students\.roster$", keep=first - 1)
    sis.faults.add("F33", path=r"\.students\.roster$")
    with connected(sis) as connector:
        assert {"page_repeated", "page_skipped"} <= one_school(connector, sis).codes


def test_a_page_of_maintenance_is_unavailable(sis: Sandbox) -> None:
    with connected(sis) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        sis.vendor.switch["maintenance"] = True
        with pytest.raises(SystemUnavailable, match="maintenance"):
            read(connector, source)


def test_expired_token_is_renewed_once_and_the_rows_asked_again(sis: Sandbox) -> None:
    with connected(sis) as connector:
        connector.tenant()
        before = sis.requests["/oauth/access_token"]
        sis.faults.add("F17", path=STUDENTS, times=1)
        assert one_school(connector, sis).problems == []

    assert sis.requests["/oauth/access_token"] == before + 1


def test_tenant_is_told_without_the_v1_api(sis: Sandbox) -> None:
    with connected(sis) as connector:
        assert "District Office" in connector.tenant().name

    assert sis.vendor.switch["access_level"] == "NONE"
    assert not [entry for entry in sis.truth if entry["path"] == "/ws/v1/district"]


@pytest.mark.parametrize("status", [200, 403])
def test_tenant_is_asked_of_the_v1_api_when_the_metadata_do_not_tell_it(sis: Sandbox, status: int) -> None:
    answers = {
        "/oauth/access_token": (200, {"access_token": "t", "expires_in": "90"}),
        "/ws/v1/metadata": (200, {"metadata": {"powerschool_version": "9.2"}}),
        "/ws/v1/district": (status, {"district": {"uuid": "u-1"}}),
    }

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        code, body = answers.get(handler.path, (200, {"@extensions": "", "count": 0}))
        send(handler, code, json.dumps(body).encode())

    with served(reply) as web, connected(sis, url=web.url) as connector:
        if status == 200:
            assert connector.tenant() == Tenant(id="u-1", name=web.url.removeprefix("http://"))
        else:
            with pytest.raises(PermissionMissing, match="READ"):
                connector.tenant()


def test_another_district_is_another_tenant(sis: Sandbox) -> None:
    with start("powerschool_query", District.generate(students=20, seed=3)) as other:
        other.district.name = "Another District"
        with connected(sis) as one, connected(other) as two:
            assert one.tenant().id != two.tenant().id


def test_allergies_come_one_code_a_token(sis: Sandbox) -> None:
    child = sis.district.children_in(sis.district.real_schools[0].number)[0]
    sis.district.change(child.id, allergies="Peanut; Tree nuts / latex,\nbee stings ")
    with connected(sis) as connector:
        source = school_of(connector, sis.district.real_schools[0].number)
        found = [connector.normalise(record, source) for record in read(connector, source).records]

    told = {record.external_id: record.allergies for record in found}
    assert told.pop(str(child.dcid)) == ("Peanut", "Tree nuts", "latex", "bee stings")
    assert set(told.values()) == {()}


def test_no_file_is_left_behind(sis: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    open_before = len(os.listdir("/proc/self/fd"))
    with connected(sis, page_size=5) as connector:
        one_school(connector, sis)
        pages = connector.pages(school_of(connector, sis.district.real_schools[0].number))
        next(pages)
        pages.close()  # type: ignore[attr-defined]

    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) <= open_before + 2
