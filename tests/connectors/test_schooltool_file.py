"""The CSV file of a SchoolTool roster feed, row by row: what it may look like, and what makes it unproven."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from integrations.connectors.base import Connection, SourceSchool
from integrations.connectors.schooltool.connector import SchoolToolConnector
from students.records import StudentRecord
from tests.connectors.reading import LOOPBACK, Reading, read
from tests.connectors.web import served

HEADER = (
    "schoolYear,studentId,lastName,firstName,birthDate,gradeCode,raceCodes,enrollments.buildingId,"
    "enrollments.entryDate,enrollments.exitDate,enrollments.primary,address.line1,contacts.1.contactId,"
    "contacts.1.lastName,contacts.1.headOfHousehold,contacts.2.contactId,contacts.2.lastName"
)
ANA = "2026-27,0041,Ruiz,Ana,2015-03-07,05,I W,A,2026-09-03,,Y,1 Oak St,C1,Ruiz,Y,,"
BEN = '2026-27,0042,"O""Shea, Jr",Ben,2014-01-02,06,,A,2026-09-03,,Y,,C2,Shea,N,C3,Poe'
ANA_TOO = ANA.replace(",A,2026-09-03,,Y,", ",B,2026-10-01,,N,")


def reading_of(*rows: str, end: str = "", header: str = HEADER, charset: str = "", encoding: str = "utf-8") -> Reading:
    """The reading of building A from a file of these rows; end: its last line, right when not given."""
    return both(*rows, end=end, header=header, charset=charset, encoding=encoding)[0]


def both(
    *rows: str, end: str = "", header: str = HEADER, charset: str = "", encoding: str = "utf-8"
) -> tuple[Reading, list[StudentRecord]]:
    """The same with the canonical records."""
    body = "\r\n".join([header, *rows, end or f"#end,{len(rows)}", ""]).encode(encoding)

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", f"text/csv; charset={charset}" if charset else "text/csv")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    school = SourceSchool(code="A", key="A", name="A")
    with served(reply) as web:
        connection = Connection(url=f"{web.url}/feed.csv", year=2026, allowed_hosts=LOOPBACK)
        connector = SchoolToolConnector(connection)
        try:
            reading = read(connector, school)
            return reading, [connector.normalise(record, school) for record in reading.records]
        finally:
            connector.close()


def test_a_whole_file_is_read() -> None:
    reading, (ana, ben) = both(ANA, BEN)
    assert (reading.problems, reading.rejected) == ([], [])
    assert (ana.external_id, ana.races, ana.enrollment.grade_level) == ("0041", ("I", "W"), "05")
    assert (ana.residence_line1, ana.household.head_last_name) == ("1 Oak St", "Ruiz")
    assert (ben.last_name, ben.races, ben.residence_line1) == ('O"Shea, Jr', (), None)
    assert isinstance(ben.contacts, tuple)
    assert [contact.last_name for contact in ben.contacts] == ["Shea", "Poe"]


def test_rows_of_one_student_need_not_stand_together() -> None:
    reading = reading_of(ANA, BEN, ANA_TOO)
    assert reading.problems == []
    assert {record.external_id: record.facts.role for record in reading.records} == {
        "0041": "primary",
        "0042": "primary",
    }


def test_rows_that_contradict_each_other_reject_their_student() -> None:
    reading = reading_of(ANA, BEN, ANA_TOO.replace("Ana", "Eva"))
    assert reading.ids == ["0042"]
    assert [(student, field) for student, field, _ in reading.rejected] == [("0041", "studentId")]


@pytest.mark.parametrize("end", ["#end,3", "#end,1", "#end", "#end,two"])
def test_a_last_line_that_counts_otherwise_is_told(end: str) -> None:
    assert reading_of(ANA, BEN, end=end).codes == {"count_disagrees"}


def test_what_follows_the_last_line_is_not_read() -> None:
    assert reading_of(ANA, end=f"#end,1\r\n{BEN}").ids == ["0041"]


@pytest.mark.parametrize(
    ("row", "rejected"),
    [
        (BEN + ",", [("0042", "studentId")]),
        (BEN.removesuffix(",Poe"), [("", "studentId")]),
        (BEN.replace("0042", ""), [("", "studentId")]),
    ],
    ids=["a comma too many", "a value too few", "no id"],
)
def test_a_row_out_of_shape_is_left_out_and_makes_the_file_unproven(row: str, rejected: list[tuple[str, str]]) -> None:
    reading = reading_of(ANA, row)
    assert reading.ids == ["0041"]
    assert [(student, field) for student, field, _ in reading.rejected] == rejected
    assert reading.codes == {"unreadable_rows"}


def test_a_file_that_ends_inside_quotation_marks_is_told() -> None:
    reading = reading_of(ANA, BEN.replace('Jr",', "Jr,"))
    assert reading.ids == ["0041"]
    assert "page_truncated" in reading.codes


def test_latin_1_is_read_where_the_server_says_so_and_rejects_its_rows_where_not() -> None:
    row = BEN.replace("Ben", "Núria")
    stated, (ben,) = both(row, charset="iso-8859-1", encoding="latin-1")
    assert (ben.first_name, stated.rejected) == ("Núria", [])
    unstated = reading_of(ANA, row, encoding="latin-1")
    assert unstated.ids == ["0041"]
    assert [(student, field) for student, field, _ in unstated.rejected] == [("0042", "firstName")]
    assert unstated.problems == []


def test_a_column_left_out_says_nothing_and_an_empty_cell_is_a_blank() -> None:
    header = HEADER.replace("address.line1,", "").partition(",contacts")[0]
    row = ANA.replace("1 Oak St,", "").partition(",C1")[0].replace("I W", "")
    _, (ana,) = both(row, header=header)
    assert not isinstance(ana.contacts, tuple)
    assert not isinstance(ana.residence_line1, (str, type(None)))
    assert ana.races == ()
