"""Rows written in bulk are the rows Django would have written."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from students import bulk
from students.models import AcademicYear, Enrollment, Family, School, Student

pytestmark = pytest.mark.django_db
COLUMNS = ("id", "first_name", "last_name", "birth_date", "races", "name_key", "grade_level")
TEXTS = ("Ann", "O'Neil", "Núñez", "ليلى", 'tab\there "quoted" \\ slash', "line\nbreak", "\\N", "%s", "🙂", "a,b")
BLANKS = (
    "local_id", "state_id", "middle_name", "suffix", "preferred_first_name", "preferred_last_name", "gender",
    "ethnicity", "home_language", "correspondence_language", "email", "home_phone", "mobile_phone",
    "residence_line1", "residence_line2", "residence_city", "residence_state", "residence_postal_code",
    "mailing_line1", "mailing_line2", "mailing_city", "mailing_state", "mailing_postal_code", "pin",
)  # fmt: skip


def insert(count: int) -> list[int]:
    """Students with difficult texts; their primary keys."""
    ids = list(bulk.reserve_ids(Student, count))
    rows = [
        (pk, text, text, dt.date(2015, 2, 28), ["white", text], "key", "3", "current", *("" for _ in BLANKS))
        for pk, text in zip(ids, (TEXTS * count)[:count], strict=True)
    ]
    assert bulk.insert(Student, (*COLUMNS, "status", *BLANKS), rows) == count
    return ids


def test_values_come_back_as_they_were() -> None:
    ids = insert(len(TEXTS))
    for pk, text in zip(ids, TEXTS, strict=True):
        student = Student.objects.get(pk=pk)
        assert (student.first_name, student.last_name) == (text, text)
        assert student.birth_date == dt.date(2015, 2, 28)
        assert student.races == ["white", text]


def test_an_update_changes_the_named_columns_of_the_named_rows_only() -> None:
    one, two, three = insert(3)
    rows = [(one, "Eva", None, []), (three, "Ida", dt.date(2016, 2, 29), ["black"])]
    assert bulk.update(Student, ("first_name", "birth_date", "races"), rows) == 2
    found = {s.pk: (s.first_name, s.last_name, s.birth_date, s.races) for s in Student.objects.all()}
    assert found[one] == ("Eva", TEXTS[0], None, [])
    assert found[two] == (TEXTS[1], TEXTS[1], dt.date(2015, 2, 28), ["white", TEXTS[1]])
    assert found[three] == ("Ida", TEXTS[2], dt.date(2016, 2, 29), ["black"])


def test_reserved_ids_are_unused_and_the_next_row_of_django_fits_behind() -> None:
    first = insert(5)
    second = insert(5)
    assert len({*first, *second}) == 10
    made = Student.objects.create(first_name="A", last_name="B")
    assert made.pk not in {*first, *second}


def test_reserved_ids_are_unused_after_the_last_rows_were_deleted() -> None:
    ids = insert(5)
    Student.objects.filter(pk__in=ids).delete()
    assert not {*insert(2)} & {*ids}


def test_statements_do_not_grow_with_rows() -> None:
    with CaptureQueriesContext(connection) as few:
        bulk.update(Student, ("first_name",), [(pk, "X") for pk in insert(3)])
    with CaptureQueriesContext(connection) as many:
        bulk.update(Student, ("first_name",), [(pk, "X") for pk in insert(300)])
    assert len(many) == len(few)


def test_nothing_is_asked_of_the_database_for_no_rows() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert bulk.insert(Student, COLUMNS, []) == 0
        assert bulk.update(Student, ("first_name",), []) == 0
        assert list(bulk.reserve_ids(Student, 0)) == []
    assert len(queries) == 0


def test_constraints_hold_for_rows_in_bulk_too() -> None:
    (pk,) = insert(1)
    school = School.objects.create(code="110", name="Oak")
    year = AcademicYear.objects.create(name="2026-2027", starts=dt.date(2026, 7, 1), ends=dt.date(2027, 6, 30))
    columns = ("student", "school", "academic_year", "stint", "grade_level", "exit_reason", "primary")
    bulk.insert(Enrollment, columns, [(pk, school.pk, year.pk, 1, "3", "", True)])
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(Enrollment, columns, [(pk, school.pk, year.pk, 2, "3", "", True)])
    assert Enrollment.objects.count() == 1


def test_among_finds_exactly_the_rows_of_the_values_with_one_parameter() -> None:
    insert(len(TEXTS))
    wanted = {"Ann", "O'Neil", "%s", "🙂", "not there"}
    with CaptureQueriesContext(connection) as queries:
        found = Student.objects.filter(first_name__among=wanted).order_by()
        assert {student.first_name for student in found} == wanted - {"not there"}
    assert len(queries) == 1
    ids = [student.pk for student in found]
    assert set(Student.objects.filter(pk__among=ids).values_list("pk", flat=True)) == set(ids)
    assert not Student.objects.filter(pk__among=[]).exists()


def test_an_update_sets_what_is_the_same_in_the_named_rows_only() -> None:
    one, two, three = insert(3)
    told = {"birth_date": dt.date(2016, 2, 29), "gender": "F"}
    assert bulk.update(Student, ("first_name",), [(one, "Eva"), (three, "Ida")], same=told) == 2
    found = {s.pk: (s.first_name, s.birth_date, s.gender) for s in Student.objects.all()}
    assert found[one] == ("Eva", dt.date(2016, 2, 29), "F")
    assert found[two] == (TEXTS[1], dt.date(2015, 2, 28), "")
    assert found[three] == ("Ida", dt.date(2016, 2, 29), "F")


def test_delete_takes_the_named_rows_only() -> None:
    for name in ("2024-2025", "2025-2026", "2026-2027"):
        year = int(name[:4])
        AcademicYear.objects.create(name=name, starts=dt.date(year, 7, 1), ends=dt.date(year + 1, 6, 30))
    gone = [("2024-2025", dt.date(2024, 7, 1)), ("2025-2026", dt.date(2000, 1, 1)), ("none", dt.date(2024, 7, 1))]
    bulk.delete(AcademicYear, ("name", "starts"), gone)
    assert set(AcademicYear.objects.values_list("name", flat=True)) == {"2025-2026", "2026-2027"}


def test_insert_missing_adds_the_values_that_have_no_row() -> None:
    kept = Family.objects.create(key="a")
    bulk.insert_missing(Family, "key", ["a", "b", "c"])
    assert set(Family.objects.values_list("key", flat=True)) == {"a", "b", "c"}
    assert Family.objects.get(key="a") == kept
