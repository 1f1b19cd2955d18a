"""The SchoolTool sandbox: the roster contract of our own, in lists and as a file, and its switches."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/connectors/schooltool-roster-v1.schema.json").read_text())
TYPES: dict[str, Any] = {"string": str, "object": dict, "array": list, "null": type(None), "boolean": bool}


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A messy server nobody changes."""
    with start("schooltool", students=300, seed=3) as sis:
        yield sis


def ask(sis: Sandbox, path: str = "", *, url: str = "", **query: Any) -> requests.Response:
    base, _, own = (url or sis.url).partition("?")
    return requests.get(f"{base}{path}?{own}", params=query, timeout=20)


def faults(value: Any, schema: dict[str, Any], place: str = "") -> list[str]:
    """What of a value does not fit the words of JSON Schema that the contract uses."""
    if "$ref" in schema:
        return faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    if "anyOf" in schema:
        return min((faults(value, one, place) for one in schema["anyOf"]), key=len)
    found = [fault for one in schema.get("allOf", ()) for fault in faults(value, one, place)]
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"{place} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} is {value!r}")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{place} is {value!r}")
    if isinstance(value, dict):
        found += [f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, one in schema.get("properties", {}).items():
            found += faults(value[name], one, f"{place}.{name}") if name in value else []
    if isinstance(value, list):
        found += [fault for one in value for fault in faults(one, schema.get("items", {}), f"{place}[]")]
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{place} has {len(value)} items")
    return found


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


@pytest.mark.parametrize("name", ["buildings", "students"])
def test_every_record_of_a_messy_district_fits_the_written_contract(quiet: Sandbox, name: str) -> None:
    answer = ask(quiet, f"/{name}", pageSize=500)
    assert answer.headers["X-SchoolTool-Contract"] == "1"
    assert answer.headers["ETag"]
    assert faults(answer.json(), SCHEMA["$defs"][name]) == []
    assert faults({**answer.json(), "page": "1"}, SCHEMA["$defs"][name]) == [".page is no ['integer']"]


def test_pages_hold_every_active_child_once(quiet: Sandbox) -> None:
    pages = [ask(quiet, "/students", page=number, pageSize=70).json() for number in range(1, 7)]
    ids = [one["studentId"] for page in pages for one in page["records"]]
    assert {page["totalRecords"] for page in pages} == {300}
    assert [len(page["records"]) for page in pages] == [70, 70, 70, 70, 20, 0]
    assert sorted(ids) == sorted(str(child.id) for child in quiet.district.active_children())
    assert ask(quiet, "/students").json()["pageSize"] == 200
    assert ask(quiet, "/students", pageSize=9999).json()["pageSize"] == 500


@pytest.mark.parametrize("query", [{"page": 0}, {"pageSize": 0}, {"schoolYear": "next"}])
def test_a_senseless_question_is_refused(quiet: Sandbox, query: dict[str, Any]) -> None:
    answer = ask(quiet, "/students", **query)
    assert answer.status_code == 400
    assert faults(answer.json(), SCHEMA["$defs"]["error"]) == []


def test_only_what_changed_since_is_listed() -> None:
    with start("schooltool", students=40) as sis:
        since = dt.datetime.now(dt.UTC).replace(microsecond=0).isoformat()
        child = sis.district.active_children()[3]
        sis.district.change(child.id, last_name="Changed")
        found = ask(sis, "/students", modifiedSince=since).json()
        assert [one["studentId"] for one in found["records"]] == [str(child.id)]
        assert found["totalRecords"] == 1


@pytest.mark.parametrize("carried_in", ["query", "path"])
def test_a_wrong_or_missing_token_is_refused_and_logged_without_it(carried_in: str) -> None:
    with start("schooltool", District.generate(students=10), carried_in=carried_in) as sis:
        assert ask(sis, "/students").status_code == 200
        assert sis.vendor.token in sis.url  # type: ignore[attr-defined]
        assert "token" not in sis.truth[-1]["query"]
        for url in (sis.url[:-1] + "0", f"{sis.root}/roster"):
            refused = ask(sis, "/students", url=url)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_token")


def test_switches_change_who_is_let_in() -> None:
    district = District.generate(students=10)
    with start("schooltool", district, carried_in="none") as sis:
        assert (sis.url, ask(sis, "/students").status_code) == (f"{sis.root}/roster", 200)
    with start("schooltool", district, enabled=False) as sis:
        assert ask(sis, "/students").json()["error"]["code"] == "not_enabled"
    with start("schooltool", district, contract="") as sis:
        assert "X-SchoolTool-Contract" not in ask(sis, "/students").headers


def test_a_clock_shows_the_next_school_year_from_july_1() -> None:
    district = District.generate(students=30)
    grades = {}
    for day, shown, gone in (
        (dt.date(2026, 6, 30), "2025-26", 2027),
        (dt.date(2026, 7, 1), "2026-27", 2026),
    ):
        with start("schooltool", district, clock=day) as sis:
            assert ask(sis, "/students").json()["schoolYear"] == shown
            refused = ask(sis, "/students", schoolYear=gone)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "year_not_available")
            first = ask(sis, "/students", schoolYear=2000 + int(shown[-2:])).json()["records"][-1]
            grades[shown] = (first["gradeCode"], first["enrollments"][0]["entryDate"][:4])
    assert grades["2025-26"] != grades["2026-27"]
    assert (grades["2025-26"][1], grades["2026-27"][1]) == ("2025", "2026")


def test_a_maintenance_fault_is_worded_as_the_contract_says(quiet: Sandbox) -> None:
    quiet.faults.add("F16", times=1, message="Back at five.")
    answer = ask(quiet, "/students")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "maintenance")


def test_the_file_has_a_row_for_each_enrollment_and_counts_them() -> None:
    with start("schooltool", students=120, form="csv") as sis:
        answer = ask(sis)
        rows = list(csv.reader(StringIO(answer.text)))
        header, *found, end = rows
        stays = [row for child in sis.district.children.values() for row in child.enrollments if row.status == "active"]
        assert answer.headers["Content-Type"] == "text/csv"
        assert end == ["#end", str(len(found))]
        assert len(found) == len(stays)
        assert {len(row) for row in found} == {len(header)}
        assert ask(sis, "/students").status_code == ask(sis, "/buildings").status_code == 404


def test_switches_spoil_the_file() -> None:
    district = District.generate(students=60)
    district.change(district.active_children()[0].id, last_name="Núñez")
    with start("schooltool", district, form="csv", bom=True, end=False, renamed={"studentId": "id"}) as sis:
        body = ask(sis).content
        assert body.startswith(b"\xef\xbb\xbfschoolYear,id,")
        assert b"#end" not in body
    with start("schooltool", district, form="csv", charset="latin-1") as sis:
        assert "Núñez".encode("latin-1") in ask(sis).content


def test_ended_enrollments_are_listed_when_switched_on() -> None:
    district = District.generate(students=20, messy=False)
    gone = district.active_children()[0]
    district.leave(gone.id, on=dt.date(2026, 9, 30))
    for ended, days in ((False, []), (True, ["2026-09-30"])):
        with start("schooltool", district, ended=ended) as sis:
            records = ask(sis, "/students").json()["records"]
            found = [one["enrollments"][0]["exitDate"] for one in records if one["studentId"] == str(gone.id)]
            assert found == days
