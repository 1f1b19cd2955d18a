"""Moves a district into its next school year, as a system's own end-of-year process does."""

from __future__ import annotations

from datetime import date

from integrations.sandbox.district import Child, District, Enrollment, School

GRADUATED = 999_999


def roll_over(district: District, *, newcomers: int | None = None) -> list[int]:
    """Promote everybody by a grade, graduate the highest one, and add new children in the lowest.

    Who outgrows a school goes on to one that teaches the grade. Rows of last year are gone; those who had left
    before stay as they are, and the pre-enrolled become active. newcomers: how many are added, None as many as
    have graduated. Returns the ids of those added.
    """
    with district.lock:
        before = district.active_children()
        district.year += 1
        for child in list(district.children.values()):
            _into_next_year(district, child)
        graduated = sum(child.status == "left" for child in before)
        school = min(district.real_schools, key=lambda one: (one.low_grade, one.number))
        wanted = graduated if newcomers is None else newcomers
        return [_newcomer(district, school, place) for place in range(wanted)]


def _into_next_year(district: District, child: Child) -> None:
    rows = [row for row in child.enrollments if row.status == "active"]
    coming = [row for row in child.enrollments if row.status == "future"]
    if not rows and not coming:
        return
    district.forget_rows(child)
    entered = date(district.year, 8, 12)
    for row in coming:
        row.status, row.inactive_code = "active", ""
    if not coming:
        rows = [new for row in rows if (new := _promoted(district, row, child, entered)) is not None]
    child.enrollments = coming or rows
    district.touch(child, area="enrollment")


def _promoted(district: District, row: Enrollment, child: Child, entered: date) -> Enrollment | None:
    """The row of the new year; None for a concurrent one whose school does not teach the grade."""
    grade, last_day = row.grade + 1, date(district.year, 6, 4)
    if grade > 12:
        if not row.primary:
            return None
        return Enrollment(
            school=GRADUATED, student_number=row.student_number, grade=row.grade, entered=row.entered, left=last_day,
            status="left", inactive_code="G", entry_code=row.entry_code, exit_code="E230",
        )  # fmt: skip
    school = row.school
    if not _teaches(district.school(school), grade):
        if not row.primary:
            return None
        school = next_school(district, child, grade)
    return Enrollment(
        school=school, student_number=row.student_number, grade=grade, entered=entered, program=row.program,
        entry_code=row.entry_code,
    )  # fmt: skip


def next_school(district: District, child: Child, grade: int) -> int:
    """The school that a child goes on to; siblings go to the same one."""
    fitting = [school.number for school in district.real_schools if _teaches(school, grade)]
    return fitting[child.household % len(fitting)]


def _teaches(school: School | None, grade: int) -> bool:
    return school is not None and school.low_grade <= grade <= school.high_grade


def _newcomer(district: District, school: School, place: int) -> int:
    child = district.add(
        school=school.number, grade=max(school.low_grade, 0), last_name=f"Newyear{district.year}{place}",
        birth_date=date(district.year - 5, 1 + place % 12, 1 + place % 28), district_entered=date(district.year, 8, 12),
    )  # fmt: skip
    return child.id
