"""Every fault switch, seen from a client of the Aeries sandbox over a real socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations.sandbox import District, start
from integrations.sandbox.faults import CODES
from integrations.sandbox.server import Sandbox

SIZE = 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with start("aeries", District.generate(students=120, seed=2)) as sis:
        yield sis


@pytest.fixture
def sis(shared: Sandbox) -> Iterator[Sandbox]:
    shared.faults.clear()
    shared.truth.clear()
    yield shared
    shared.faults.clear()


def get(sis: Sandbox, path: str = "", *, timeout: float = 20, **query: Any) -> requests.Response:
    path = path or f"schools/{sis.district.real_schools[0].number}/students"
    return requests.get(
        f"{sis.url}/api/v5/{path}",
        headers={"AERIES-CERT": sis.credentials["token"]},
        params=query,
        timeout=timeout,
        allow_redirects=False,
    )


def page(sis: Sandbox, number: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = get(sis, StartingRecord=1 + number * SIZE, EndingRecord=(number + 1) * SIZE).json()
    return rows


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["StudentID"] for row in rows]


def test_every_fault_has_a_meaning_and_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "integrations/sandbox/README.md").read_text(encoding="utf-8")
    assert [code for code in CODES if f"| {code} |" not in readme] == []


def test_unknown_fault_or_setting_is_refused_by_name(sis: Sandbox) -> None:
    with pytest.raises(ValueError, match="F99"):
        sis.faults.add("F99")
    with pytest.raises(ValueError, match="keeep"):
        sis.faults.add("F28", keeep=1)


@pytest.mark.parametrize(("code", "executed"), [("F04", 0), ("F05", 1), ("F06", 1), ("F08", 1)])
def test_connection_breaks_and_the_truth_log_says_whether_the_request_ran(
    sis: Sandbox, code: str, executed: int
) -> None:
    settings: dict[str, Any] = {"seconds": 0.1, "interval": 0.01} if code == "F08" else {}
    sis.faults.add(code, **settings)
    with pytest.raises(requests.RequestException):
        get(sis)
    assert len(sis.truth) == executed
    assert [entry["fault"] for entry in sis.truth] == [code] * executed


def test_body_breaks_off_in_the_middle(sis: Sandbox) -> None:
    whole = len(get(sis).content)
    sis.faults.add("F06")
    path = f"/aeries/api/v5/schools/{sis.district.real_schools[0].number}/students"
    with socket.create_connection(("127.0.0.1", sis.port), timeout=20) as connection:
        cert = sis.credentials["token"]
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAERIES-CERT: {cert}\r\n\r\n".encode())
        pieces: list[bytes] = []
        with pytest.raises(ConnectionResetError):
            pieces.extend(iter(partial(connection.recv, 65536), b""))
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert f"Content-Length: {whole}".encode() in head
    assert len(body) == whole // 2


def test_hanging_server_lets_the_client_time_out(sis: Sandbox) -> None:
    sis.faults.add("F07", seconds=5)
    with pytest.raises(requests.Timeout):
        get(sis, timeout=0.2)
    assert sis.truth == []


def test_slow_answers_come_whole(sis: Sandbox) -> None:
    whole = get(sis).json()
    sis.faults.add("F10", seconds=0.05)
    sis.faults.add("F08", seconds=0.1, interval=0.01, finish=True)
    assert get(sis).json() == whole


def test_busy_server_says_when_to_come_back_or_not(sis: Sandbox) -> None:
    sis.faults.add("F13", times=1, retry_after=7)
    assert (get(sis).status_code, sis.truth) == (429, [])
    sis.faults.clear()
    sis.faults.add("F13", retry_after=7)
    assert get(sis).headers["Retry-After"] == "7"
    sis.faults.clear()
    sis.faults.add("F14", retry_after=90)
    assert parsedate_to_datetime(get(sis).headers["Retry-After"]).tzinfo is not None
    sis.faults.clear()
    sis.faults.add("F15")
    answer = get(sis)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


def test_server_error_comes_as_often_as_asked_after_as_many_as_asked(sis: Sandbox) -> None:
    sis.faults.add("F16", path="/students", after=1, times=2, status=502)
    assert [get(sis).status_code for _ in range(4)] == [200, 502, 502, 200]
    assert get(sis, "schools").status_code == 200
    assert sis.faults.report()[0] == {
        "code": "F16",
        "path": "/students",
        "after": 1,
        "times": 2,
        "status": 502,
        "message": None,
        "seen": 4,
        "applied": 2,
    }


def test_server_error_with_a_message_is_worded_as_the_vendor_does(sis: Sandbox) -> None:
    sis.faults.add("F16", status=500, message="Invalid Student ID")
    assert get(sis).json() == {"Message": "Invalid Student ID"}


@pytest.mark.parametrize("code", ["F17", "F18"])
def test_revoked_credentials_are_401_but_not_on_open_paths_for_one_token(sis: Sandbox, code: str) -> None:
    sis.faults.add(code)
    assert get(sis).status_code == 401
    assert get(sis, "systeminfo").status_code == (200 if code == "F17" else 401)


def test_one_school_is_forbidden(sis: Sandbox) -> None:
    first, second = sis.district.real_schools[:2]
    sis.faults.add("F19", school=second.number)
    assert get(sis, f"schools/{first.number}/students").status_code == 200
    assert get(sis, f"schools/{second.number}/students").status_code == 403


@pytest.mark.parametrize(
    ("to", "target"),
    [("login", "127.0.0.1"), ("other", "other.example.org"), ("metadata", "169.254.169.254")],
)
def test_redirect_leads_elsewhere(sis: Sandbox, to: str, target: str) -> None:
    sis.faults.add("F20", to=to)
    answer = get(sis)
    assert answer.status_code == 302
    assert target in answer.headers["Location"]


def test_redirect_to_the_login_page_ends_in_a_web_page(sis: Sandbox) -> None:
    sis.faults.add("F20", path="/students")
    answer = requests.get(get(sis).headers["Location"], timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("code", "status", "start"), [("F21", 200, "<!DOCTYPE html>"), ("F22", 200, ""), ("F23", 204, "")]
)
def test_answer_holds_no_data(sis: Sandbox, code: str, status: int, start: str) -> None:
    sis.faults.add(code)
    answer = get(sis)
    assert (answer.status_code, answer.text[:15]) == (status, start)


def test_content_type_and_charset_are_wrong(sis: Sandbox) -> None:
    child = sis.district.active_children()[0]
    sis.district.change(child.id, first_name="Zoë")
    assert child.primary is not None
    path = f"schools/{child.primary.school}/students/{child.id}"
    sis.faults.add("F24")
    answer = get(sis, path)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "Zoë".encode("iso-8859-1") in answer.content


def test_content_length_promises_more_than_comes(sis: Sandbox) -> None:
    sis.faults.add("F26", by=50)
    with pytest.raises(requests.RequestException):
        get(sis)


def test_json_is_cut_off(sis: Sandbox) -> None:
    sis.faults.add("F27", at=0.3)
    answer = get(sis)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(ValueError, match=r"."):
        answer.json()


def test_page_keeps_only_its_first_rows(sis: Sandbox) -> None:
    whole = page(sis, 0)
    sis.faults.add("F28", keep=3)
    assert page(sis, 0) == whole[:3]


def test_null_or_an_error_comes_where_the_list_should_be(sis: Sandbox) -> None:
    sis.faults.add("F29", times=1)
    assert get(sis).json() is None
    sis.faults.clear()
    sis.faults.add("F30", message="Object reference not set")
    answer = get(sis)
    assert (answer.status_code, answer.json()) == (200, {"Message": "Object reference not set"})


def test_field_is_missing_renamed_of_another_type_or_null(sis: Sandbox) -> None:
    grades = [row["Grade"] for row in page(sis, 0)]
    sis.faults.add("F31", field="Grade", how="missing")
    assert all("Grade" not in row for row in page(sis, 0))
    sis.faults.clear()
    sis.faults.add("F31", field="Grade", how="renamed")
    renamed = page(sis, 0)
    assert [row["GradeNew"] for row in renamed] == grades
    assert all("Grade" not in row for row in renamed)
    sis.faults.clear()
    sis.faults.add("F31", field="Grade", how="type")
    assert [row["Grade"] for row in page(sis, 0)] == [str(grade) for grade in grades]
    sis.faults.clear()
    sis.faults.add("F32", field="HomePhone")
    assert {row["HomePhone"] for row in page(sis, 0)} == {None}


def test_same_row_or_the_same_person_with_other_values_comes_twice(sis: Sandbox) -> None:
    whole = page(sis, 0)
    sis.faults.add("F33")
    assert page(sis, 0) == [whole[0], *whole]
    sis.faults.clear()
    sis.faults.add("F34")
    assert page(sis, 0) == [*whole, {**whole[0], "LastName": "Different"}]


def test_strange_text_of_every_kind_comes_in_a_name(sis: Sandbox) -> None:
    sis.faults.add("F35", field="FirstName")
    body = get(sis, StartingRecord=1, EndingRecord=7).content
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    rows = json.loads(body.decode(errors="replace"))
    texts = [row["FirstName"] for row in rows]
    assert texts[1] == "Nul\x00l"
    assert len(texts[3]) == 10_000
    assert texts[6].startswith("=cmd")


@pytest.mark.parametrize(("how", "kind"), [("number", int), ("float", float), ("stripped", str)])
def test_identifiers_lose_their_zeros_or_their_type(sis: Sandbox, how: str, kind: type) -> None:
    whole = page(sis, 0)
    sis.faults.add("F36", how=how)
    for row, old in zip(page(sis, 0), whole, strict=True):
        if old["StateStudentID"]:
            assert isinstance(row["StateStudentID"], kind)
            assert str(row["StateStudentID"]).removesuffix(".0") == str(int(old["StateStudentID"]))


def test_dates_are_none_or_in_other_formats(sis: Sandbox) -> None:
    sis.faults.add("F37", field="Birthdate")
    assert {"0000-00-00", "02/29/2015", "31-12-2014"} <= {row["Birthdate"] for row in page(sis, 0)}


def test_page_comes_twice(sis: Sandbox) -> None:
    pages = [page(sis, number) for number in range(3)]
    sis.faults.add("F38", times=1)
    assert [page(sis, number) for number in range(3)] == [pages[0], pages[0], pages[2]]


def test_page_is_skipped(sis: Sandbox) -> None:
    pages = [page(sis, number) for number in range(3)]
    sis.faults.add("F39", after=1, times=1)
    assert [page(sis, number) for number in range(2)] == [pages[0], pages[2]]


def test_row_deleted_or_inserted_between_pages_shifts_the_window(sis: Sandbox) -> None:
    pages = [page(sis, number) for number in range(3)]
    sis.faults.add("F40", how="delete", times=1)
    assert page(sis, 0) == pages[0]
    assert page(sis, 1) == [*pages[1][1:], pages[2][0]]
    sis.faults.clear()
    sis.faults.add("F40", how="insert")
    assert page(sis, 1) == [pages[0][-1], *pages[1][:-1]]


def test_last_page_is_empty(sis: Sandbox) -> None:
    total = len(get(sis).json())
    sis.faults.add("F41")
    assert len(page(sis, 0)) == SIZE
    assert page(sis, (total - 1) // SIZE) == []


def test_paging_never_ends(sis: Sandbox) -> None:
    first = page(sis, 0)
    sis.faults.add("F42")
    assert page(sis, 1) == first
    assert page(sis, 1000) == first


def test_page_size_is_ignored(sis: Sandbox) -> None:
    whole = get(sis).json()
    sis.faults.add("F44")
    assert page(sis, 1) == whole
    sis.faults.clear()
    sis.faults.add("F44", size=5)
    assert page(sis, 1) == whole[SIZE : SIZE + 5]


def test_one_building_answers_empty(sis: Sandbox) -> None:
    first, second = sis.district.real_schools[:2]
    sis.faults.add("F45", school=first.number)
    assert get(sis, f"schools/{first.number}/students").json() == []
    assert get(sis, f"schools/{second.number}/students").json() != []


def test_other_districts_data_comes(sis: Sandbox) -> None:
    own = {row["StateStudentID"] + row["LastName"] + row["Birthdate"] for row in get(sis).json()}
    sis.faults.add("F46", students=120)
    other = {row["StateStudentID"] + row["LastName"] + row["Birthdate"] for row in get(sis).json()}
    assert len(own & other) < len(own) / 2


def test_faults_are_steered_from_another_process_by_the_control_endpoints(sis: Sandbox) -> None:
    base = f"http://127.0.0.1:{sis.port}/_sandbox"
    added = requests.post(f"{base}/faults", json={"code": "F16", "times": 1, "status": 503}, timeout=20)
    assert added.json()[0]["code"] == "F16"
    assert [get(sis).status_code, get(sis).status_code] == [503, 200]
    assert requests.get(f"{base}/faults", timeout=20).json()[0]["applied"] == 1
    assert requests.delete(f"{base}/faults", timeout=20).json() == []
    assert [entry["status"] for entry in requests.get(f"{base}/truth", timeout=20).json()] == [200]
    refused = requests.post(f"{base}/faults", json={"code": "F99"}, timeout=20)
    assert refused.status_code == 400
    assert "F99" in refused.json()["error"]


def test_district_is_changed_by_the_control_endpoint() -> None:
    with start("aeries", students=30) as sis:
        child = sis.district.active_children()[0]
        base = f"http://127.0.0.1:{sis.port}/_sandbox"
        told = requests.post(
            f"{base}/change", json={"do": "leave", "child": child.id, "on": "2026-10-09"}, timeout=20
        ).json()
        assert told == {"result": child.id, "version": sis.district.version}
        assert child.status == "left"
        assert requests.post(f"{base}/change", json={"do": "explode"}, timeout=20).status_code == 400


def test_truth_log_is_also_written_as_json_lines(tmp_path: Path) -> None:
    with start("aeries", students=30, truth_path=tmp_path / "truth.jsonl") as sis:
        get(sis)
        get(sis, "schools")
        lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
        assert lines == sis.truth


def test_stopped_server_closes_open_connections_and_its_port() -> None:
    sis = start("aeries", students=30)
    session = requests.Session()
    session.get(f"{sis.url}/api/v5/systeminfo", timeout=20)
    sis.stop()
    with pytest.raises(requests.ConnectionError):
        session.get(f"{sis.url}/api/v5/systeminfo", timeout=20)
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", sis.port), timeout=2)
    session.close()
