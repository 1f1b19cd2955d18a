"""The PowerQueries of the PowerSchool sandbox: shapes, pages, counts, rights, and the plugin that brings them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from integrations.sandbox import District, start
from integrations.sandbox.powerschool_plugin import PluginError, installed
from integrations.sandbox.server import Sandbox

NAME = "org.sisconsole.sync.students.allergies"
SCHOOL_ALLERGIES = "peanut, tree nuts"
PLUGIN = """<plugin xmlns="http://plugin.powerschool.pearson.com" name="Mine" version="1" description="d">
<oauth accessLevelV1Api="READ"/><access_request><field table="STUDENTS" field="DCID" access="ViewOnly"/>
<field table="Students" field="Student_Number" access="ViewOnly"/></access_request>
<publisher name="P"><contact email="p@example.org"/></publisher></plugin>"""
QUERIES = """<queries><query name="com.example.my.students.all" coreTable="students" flattened="true">
<summary>s</summary>
<args><arg name="status" column="STUDENTS.ENROLL_STATUS" type="array" required="false" default="0"/></args>
<columns><column column="STUDENTS.DCID">DCID</column><column column="STUDENTS.STUDENT_NUMBER">Student_Number</column>
</columns><sql><![CDATA[select dcid, student_number from students where enroll_status in (:status)]]></sql>
</query></queries>"""


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A server nobody changes."""
    with start("powerschool_query", District.generate(students=160, seed=3, schools=2)) as sis:
        yield sis


@pytest.fixture
def sis() -> Iterator[Sandbox]:
    """A server of its own."""
    with start("powerschool_query", District.generate(students=30, seed=3, schools=2, messy=False)) as server:
        yield server


def bearer(sis: Sandbox) -> str:
    given = sis.credentials
    pair = (given["consumer_token"], given["consumer_secret"])
    form = {"grant_type": "client_credentials"}
    return str(requests.post(f"{sis.url}/oauth/access_token", auth=pair, data=form, timeout=20).json()["access_token"])


def ask(sis: Sandbox, query: str, body: Any = None, *, count: str = "", **params: Any) -> requests.Response:
    """What a query of the console's plugin answers; its name may also be a whole one."""
    name = query if query.count(".") > 2 else f"org.sisconsole.sync.{query}"
    path = f"{sis.url}/ws/schema/query/{name}{count}"
    token = {"Authorization": f"Bearer {bearer(sis)}"}
    return requests.post(path, json={} if body is None else body, params=params, headers=token, timeout=20)


def school(sis: Sandbox) -> dict[str, str]:
    """The argument for the first school."""
    return {"school": str(sis.district.real_schools[0].number)}


def rows_of(sis: Sandbox, query: str, body: Any = None, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(sis, query, body, **{"pagesize": 0, **params}).json().get("record", [])
    return found


def test_rows_are_text_and_blank_columns_are_not_there(quiet: Sandbox) -> None:
    rows = rows_of(quiet, "students.roster", school(quiet))
    children = quiet.district.children
    shown = [row for row in rows if row["enroll_status"] == "0"]

    assert {row["_name"] for row in rows} == {"students"}
    assert all(row["_id"] == int(row["dcid"]) for row in rows)
    assert all(isinstance(value, str) for row in rows for name, value in row.items() if name != "_id")
    assert any("middle_name" not in row for row in rows)
    for row in shown:
        child = children[int(row["student_number"])]
        assert (row["dcid"], row["dob"]) == (str(child.dcid), child.birth_date.isoformat())
        assert row.get("state_studentnumber", "") == child.state_id


def test_zero_rows_have_no_record(quiet: Sandbox) -> None:
    body = ask(quiet, "students.roster", {"school": "4711"}, pagesize=0).json()

    assert body == {"name": "students", "@extensions": body["@extensions"]}


@pytest.mark.parametrize(
    ("shape", "keys"),
    [("flattened", {"_name", "_id", "dcid"}), ("bare", {"dcid"}), ("grouped", {"id", "name", "tables"})],
)
def test_shape_is_as_the_switch_says(sis: Sandbox, shape: str, keys: set[str]) -> None:
    sis.vendor.switch["shape"] = shape
    answer = ask(sis, "students.roster", school(sis), pagesize=0).json()
    row = answer["record"][0]

    assert keys <= set(row)
    assert ("name" in answer) == (shape != "bare")
    assert ("_id" in row) == (shape == "flattened")
    if shape == "grouped":
        assert set(row["tables"]) == {"students", "studentcorefields"}
        assert row["tables"]["studentcorefields"]["primarylanguage"]


def test_numbers_and_moments_come_when_the_switches_say_so(sis: Sandbox) -> None:
    sis.vendor.switch.update(numbers=True, moments=True)
    row = rows_of(sis, "students.roster", school(sis))[0]

    assert isinstance(row["dcid"], int)
    assert row["dob"].endswith(" 00:00:00.0")


def test_pages_hold_a_hundred_unless_asked_otherwise_and_zero_is_all(quiet: Sandbox) -> None:
    everything = rows_of(quiet, "students.phones", school(quiet))
    total = ask(quiet, "students.phones", school(quiet), count="/count").json()

    assert total == {"count": len(everything)}
    assert len(everything) > 200
    assert ask(quiet, "students.phones", school(quiet)).json()["record"] == everything[:100]
    assert rows_of(quiet, "students.phones", school(quiet), pagesize=150, page=2) == everything[150:300]
    assert rows_of(quiet, "students.phones", school(quiet), page=7) == everything


def test_count_is_the_total_whatever_the_page(quiet: Sandbox) -> None:
    total = ask(quiet, "students.roster", school(quiet), count="/count").json()["count"]
    answer = ask(quiet, "students.roster?pagesize=1&count=true", school(quiet)).json()

    assert (answer["count"], len(answer["record"])) == (total, 1)
    assert "count" not in ask(quiet, "students.roster", school(quiet), pagesize=1).json()


def test_order_and_search_and_dates_work_on_aliases(quiet: Sandbox) -> None:
    body = {**school(quiet), "$q": "gender==F;last_name==a*"}
    rows = rows_of(quiet, "students.roster", body, order="last_name;desc,students.dcid")
    names = [row["last_name"] for row in rows]

    assert names
    assert names == sorted(names, reverse=True)
    assert all(name.lower().startswith("a") for name in names)
    assert {row["gender"] for row in rows} == {"F"}
    assert ask(quiet, "students.roster", body, count="/count").json() == {"count": len(rows)}


def test_fields_that_are_not_granted_are_named_one_by_one(sis: Sandbox) -> None:
    sis.vendor.switch["denied_fields"] = ["students.zip", "STUDENTCOREFIELDS.PRIMARYLANGUAGE"]
    answer = ask(sis, "students.roster", school(sis))

    assert answer.status_code == 403
    assert answer.json()["message"] == "Validation Failed"
    assert [one["field"] for one in answer.json()["errors"]] == ["students.zip", "studentcorefields.primarylanguage"]
    assert {one["code"] for one in answer.json()["errors"]} == {"No access to the field"}
    assert ask(sis, "students.races", school(sis)).status_code == 200


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({}, {}),
        ({"school": "1", "other": "2"}, {}),
        ({"school": [1, 2]}, {}),
        ([], {}),
        ({"school": "1", "$q": "nothing==1"}, {}),
        ({"school": "1", "$q": "gender==(F,M)"}, {}),
        ({"school": "1"}, {"order": "nothing"}),
        ({"school": "1"}, {"pagesize": "many"}),
    ],
)
def test_what_cannot_be_understood_is_refused(quiet: Sandbox, body: Any, params: dict[str, str]) -> None:
    answer = ask(quiet, "students.roster", body, **params)

    assert (answer.status_code, list(answer.json())) == (400, ["message"])


def test_unknown_query_and_missing_plugin_and_missing_token_are_refused(sis: Sandbox) -> None:
    assert ask(sis, "students.nothing").status_code == 404
    path = f"{sis.url}/ws/schema/query/{NAME}"
    assert requests.post(path, json={}, timeout=20).status_code == 401
    sis.vendor.switch["plugin"] = False
    answer = ask(sis, "students.roster", school(sis))
    assert (answer.status_code, list(answer.json())) == (404, ["message"])


def test_allergy_text_is_the_childs(sis: Sandbox) -> None:
    child = sis.district.children_in(int(school(sis)["school"]))[0]
    sis.district.change(child.id, allergies=SCHOOL_ALLERGIES)

    assert [(row["studentdcid"], row["allergies"]) for row in rows_of(sis, "students.allergies", school(sis))] == [
        (str(child.dcid), SCHOOL_ALLERGIES)
    ]


def test_contacts_phones_emails_and_addresses_are_the_districts(quiet: Sandbox) -> None:
    number = int(school(quiet)["school"])
    children = [child for child in quiet.district.active_children() if child.primary and child.primary.school == number]
    links = {(str(child.dcid), str(link.contact.id)) for child in children for link in child.contacts}
    emails = {link.contact.email for child in children for link in child.contacts} - {""}
    phones = {link.contact.mobile_phone for child in children for link in child.contacts} - {""}
    streets = {link.contact.address.line1 for child in children for link in child.contacts} - {""}

    def found(query: str, *names: str) -> set[tuple[str, ...]]:
        return {tuple(row.get(name, "") for name in names) for row in rows_of(quiet, query, school(quiet))}

    assert links <= found("students.contacts", "studentdcid", "personid")
    assert {(email,) for email in emails} <= found("students.contact_emails", "emailaddress")
    assert {(digits,) for digits in phones} <= found("students.phones", "phonenumber")
    assert {(street,) for street in streets} <= found("students.addresses", "street")


def test_a_student_who_left_is_found_with_the_status(sis: Sandbox) -> None:
    child = sis.district.children_in(int(school(sis)["school"]))[0]
    sis.district.leave(child.id)
    (row,) = rows_of(sis, "students.enrollments", {"dcid": str(child.dcid)})

    assert (row["enroll_status"], row["exitdate"]) == ("2", "2026-10-01")
    assert str(child.dcid) not in {one["dcid"] for one in rows_of(sis, "students.roster", school(sis))}


def made(plugin: str = PLUGIN, queries: str = QUERIES, **more: str) -> bytes:
    """A plugin zip; more: further files by path."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {"plugin.xml": plugin, "queries_root/mine.named_queries.xml": queries, **more}.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_a_plugin_of_ones_own_brings_its_queries_and_its_level(sis: Sandbox) -> None:
    sis.vendor.install(made())  # type: ignore[attr-defined]  # of this vendor only
    sis.district.leave(sis.district.active_children()[0].id)
    name = "com.example.my.students.all"

    assert ask(sis, name, pagesize=0, count="/count").json() == {"count": 29}
    assert ask(sis, name, {"status": [0, 2]}, count="/count").json() == {"count": 30}
    assert set(rows_of(sis, name)[0]) == {"_name", "_id", "dcid", "student_number"}
    assert ask(sis, "students.roster", school(sis)).status_code == 404
    assert sis.vendor.switch["access_level"] == "READ"


@pytest.mark.parametrize(
    ("plugin", "what"),
    [
        (b"no zip", "zip"),
        (made(plugin="<plugin"), "XML"),
        (made(plugin=PLUGIN.replace("http://plugin", "http://other")), "no plugin"),
        (made(plugin=PLUGIN.replace('"Mine"', f'"{"x" * 41}"')), "40"),
        (made(plugin=PLUGIN.replace('version="1"', "")), "version"),
        (made(plugin=PLUGIN.replace('email="p@example.org"', "")), "publisher"),
        (made(plugin=PLUGIN.replace("DCID", "x" * 31)), "field"),
        (made(plugin=PLUGIN.replace("ViewOnly", "Everything")), "field"),
        (made(plugin=PLUGIN.replace("oauth", "other")), "OAuth"),
        (made(queries=QUERIES.replace("com.example.my.students.all", "short")), "five parts"),
        (made(queries=QUERIES.replace(">Student_Number<", ">DCID<")), "different names"),
        (made(queries=QUERIES.replace("select", "delete")), "selects nothing"),
        (made(**{"readme.txt": "x"}), "do not belong"),
    ],
)
def test_a_plugin_that_powerschool_would_refuse_is_refused(plugin: bytes, what: str) -> None:
    with pytest.raises(PluginError, match=what):
        installed(plugin)


def test_the_v1_resources_are_there_too_when_the_plugin_may(sis: Sandbox) -> None:
    token = {"Authorization": f"Bearer {bearer(sis)}"}
    assert requests.get(f"{sis.url}/ws/v1/district", headers=token, timeout=20).status_code == 403
    sis.vendor.switch["access_level"] = "READ"
    assert requests.get(f"{sis.url}/ws/v1/district", headers=token, timeout=20).status_code == 200
