"""`manage.py export_roster`: the same data, the same bytes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from students.models import AcademicYear, Contact, Enrollment, Family, School, Student, StudentContact
from students.roster import CHUNK, COLUMNS, as_cells, roster

pytestmark = pytest.mark.django_db
KEYS = [
    "local_id",
    "state_id",
    "first_name",
    "middle_name",
    "last_name",
    "birth_date",
    "gender",
    "ethnicity",
    "races",
    "grade_level",
    "home_language",
    "home_phone",
    "residence_line1",
    "residence_line2",
    "residence_city",
    "residence_state",
    "residence_postal_code",
    "pin",
    "family",
    "status",
    "enrollments",
    "contacts",
    "allergies",
]


def a_student(local_id: str, **fields: Any) -> Student:
    """A stored student; Ada Lane without more."""
    return Student.objects.create(**{"local_id": local_id, "first_name": "Ada", "last_name": "Lane"} | fields)


def a_year() -> AcademicYear:
    """The stored year 2026-2027."""
    days = {"starts": dt.date(2026, 7, 1), "ends": dt.date(2027, 6, 30)}
    return AcademicYear.objects.get_or_create(name="2026-2027", defaults=days)[0]


def enroll(student: Student, code: str, **fields: Any) -> None:
    """A stay at the school of a code."""
    school = School.objects.get_or_create(code=code, defaults={"name": f"School {code}"})[0]
    Enrollment.objects.create(student=student, school=school, academic_year=a_year(), grade_level="5", **fields)


def printed(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO(newline="")
    call_command("export_roster", *arguments, stdout=out)
    return out.getvalue()


def order(*arguments: str) -> list[str]:
    """The local ids in the order printed."""
    return [row["local_id"] for row in json.loads(printed("--format", "json", *arguments))]


def test_everything_of_a_student_is_told_under_its_key() -> None:
    family = Family.objects.create(key="k")
    ada = a_student(
        "20",
        birth_date=dt.date(2015, 3, 9),
        races=["white", "asian"],
        residence_line1="1 A St",
        family=family,
    )
    a_student("100", first_name="Bo", family=family)
    a_student("050", first_name="Cy", family=family, status="former")
    enroll(ada, "B", entered=dt.date(2026, 8, 13))
    enroll(ada, "A", entered=dt.date(2026, 8, 1), left=dt.date(2026, 8, 12), primary=False)
    for order_, name in ((1, "Zoe"), (2, "Al")):
        contact = Contact.objects.create(first_name=name, last_name="Lane", email=f"{name}@x.org")
        StudentContact.objects.create(student=ada, contact=contact, order=order_, relationship="mother")

    row = json.loads(printed("--format", "json"))[1]

    assert list(row) == KEYS == list(COLUMNS)
    assert row == {
        **dict.fromkeys(KEYS),
        "local_id": "20",
        "first_name": "Ada",
        "last_name": "Lane",
        "birth_date": "2015-03-09",
        "races": ["white", "asian"],
        "residence_line1": "1 A St",
        "family": "100",
        "status": "current",
        "enrollments": [
            {
                "school": "A",
                "academic_year": "2026-2027",
                "grade_level": "5",
                "entered": "2026-08-01",
                "left": "2026-08-12",
                "primary": False,
            },
            {
                "school": "B",
                "academic_year": "2026-2027",
                "grade_level": "5",
                "entered": "2026-08-13",
                "left": None,
                "primary": True,
            },
        ],
        "contacts": [
            {
                "first_name": name,
                "last_name": "Lane",
                "relationship": "mother",
                "order": order_,
                "home_phone": None,
                "mobile_phone": None,
                "work_phone": None,
                "email": f"{name}@x.org",
            }
            for name, order_ in (("Al", 2), ("Zoe", 1))
        ],
        "allergies": [],
    }


def test_former_students_are_told_only_when_asked_for() -> None:
    a_student("1", status="former")
    a_student("2")

    assert order() == ["2"]
    assert order("--all") == ["1", "2"]


def test_students_come_by_characters_whatever_the_database() -> None:
    for local_id in ("b", "B", "a", "10", "9", "É", "_"):
        a_student(local_id)

    assert order() == sorted(["b", "B", "a", "10", "9", "É", "_"])


def test_students_of_one_local_id_come_by_state_id_birth_date_and_name() -> None:
    day = dt.date(2015, 1, 1)
    wanted = [
        {"state_id": "", "birth_date": None, "last_name": "Z"},
        {"state_id": "", "birth_date": day, "last_name": "A", "first_name": "B"},
        {"state_id": "", "birth_date": day, "last_name": "B", "first_name": "A"},
        {"state_id": "5", "birth_date": None, "last_name": "A"},
    ]
    for fields in reversed(wanted):
        a_student("", **fields)

    rows = list(roster())

    assert [row["last_name"] for row in rows] == ["Z", "A", "B", "A"]
    assert all(row["local_id"] is None for row in rows)


def test_bytes_are_the_same_when_the_rows_were_stored_the_other_way_round() -> None:
    twins = [{"home_phone": "1"}, {"home_phone": "2"}]
    for fields in twins:
        enroll(a_student("7", **fields), "A")
    before = printed("--format", "json"), printed()
    Enrollment.objects.all().delete()
    Student.objects.all().delete()
    for fields in reversed(twins):
        enroll(a_student("7", **fields), "A")

    assert (printed("--format", "json"), printed()) == before


def test_an_empty_roster_is_an_empty_list() -> None:
    assert json.loads(printed("--format", "json")) == []
    assert printed() == ",".join(KEYS) + "\r\n"


def test_table_has_one_line_a_student_and_flat_lists() -> None:
    ada = a_student("1", races=["white", "asian"], middle_name="Ann, Mae")
    enroll(ada, "A", left=dt.date(2026, 9, 1))
    enroll(ada, "B")

    line = next(csv.DictReader(io.StringIO(printed("--format", "csv"), newline="")))

    assert line["races"] == "white;asian"
    assert line["middle_name"] == "Ann, Mae"
    assert line["birth_date"] == ""
    assert line["enrollments"] == (
        "school=A;academic_year=2026-2027;grade_level=5;left=2026-09-01;primary=yes | "
        "school=B;academic_year=2026-2027;grade_level=5;primary=yes"
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_formula_is_defused_when_a_spreadsheet_would_run_it(text: str) -> None:
    assert as_cells({"first_name": text, "races": [text]}) == {"first_name": f"'{text}", "races": f"'{text}"}
    assert as_cells({"first_name": f"x{text}"}) == {"first_name": f"x{text}"}


def test_statements_grow_with_chunks_and_not_with_students() -> None:
    a_year()
    School.objects.create(code="A", name="A")
    family = Family.objects.create(key="k")

    def statements(students: int) -> int:
        Enrollment.objects.all().delete()
        Student.objects.all().delete()
        Student.objects.bulk_create(
            Student(local_id=str(n), first_name="A", last_name="B", family=family) for n in range(students)
        )
        Enrollment.objects.bulk_create(
            Enrollment(student=one, school_id=School.objects.get().pk, academic_year=a_year(), grade_level="1")
            for one in Student.objects.all()
        )
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert sum(1 for _ in roster()) == students
        return len(caught)

    few, full, two = statements(3), statements(CHUNK), statements(CHUNK + 1)

    assert few == full
    assert two - full == full - 1
