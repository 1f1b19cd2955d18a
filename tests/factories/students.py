"""Students, their schools, contacts and families."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from students.models import (
    AcademicYear,
    Contact,
    Enrollment,
    Family,
    FieldLock,
    FieldOwnership,
    School,
    SchoolScope,
    Student,
    StudentContact,
)


class SchoolFactory(DjangoModelFactory):
    """A school: 101 School 101, 102 ..."""

    class Meta:
        model = School
        django_get_or_create = ("code",)

    code = factory.Sequence(lambda n: str(101 + n))
    name = factory.LazyAttribute(lambda school: f"School {school.code}")


class AcademicYearFactory(DjangoModelFactory):
    """The year 2026-2027."""

    class Meta:
        model = AcademicYear
        django_get_or_create = ("name",)

    name = "2026-2027"
    starts = dt.date(2026, 8, 12)
    ends = dt.date(2027, 6, 4)


class FamilyFactory(DjangoModelFactory):
    """A family without members."""

    class Meta:
        model = Family

    key = factory.Sequence(lambda n: f"{n:032x}")


class StudentFactory(DjangoModelFactory):
    """A current student without an enrollment."""

    class Meta:
        model = Student

    local_id = factory.Sequence(lambda n: str(1000 + n))
    first_name = factory.Sequence(lambda n: ("Ana", "Leo", "Mia", "Noah", "Zoë")[n % 5])
    last_name = factory.Sequence(lambda n: ("Ramirez", "Nguyen", "O'Brien", "Smith")[n % 4] + f" {n}")
    birth_date = dt.date(2017, 3, 4)
    grade_level = "3"
    home_phone = "559-555-0142"


class EnrollmentFactory(DjangoModelFactory):
    """A current primary enrollment in grade 3."""

    class Meta:
        model = Enrollment

    student = factory.SubFactory(StudentFactory)
    school = factory.SubFactory(SchoolFactory)
    academic_year = factory.SubFactory(AcademicYearFactory)
    grade_level = "3"
    entered = dt.date(2026, 8, 12)


class ContactFactory(DjangoModelFactory):
    """A mother."""

    class Meta:
        model = Contact

    first_name = "Maria"
    last_name = factory.Sequence(lambda n: f"Ramirez {n}")


class StudentContactFactory(DjangoModelFactory):
    """A link between a student and a mother."""

    class Meta:
        model = StudentContact

    student = factory.SubFactory(StudentFactory)
    contact = factory.SubFactory(ContactFactory)
    relationship = "mother"


class FieldLockFactory(DjangoModelFactory):
    """A lock of the first name."""

    class Meta:
        model = FieldLock

    student = factory.SubFactory(StudentFactory)
    field = "first_name"
    reason = "Court order"


class FieldOwnershipFactory(DjangoModelFactory):
    """The console owns the home phone."""

    class Meta:
        model = FieldOwnership

    field = "home_phone"
    owner = "console"


class SchoolScopeFactory(DjangoModelFactory):
    """A limit of a person to a school."""

    class Meta:
        model = SchoolScope

    school = factory.SubFactory(SchoolFactory)


def enrolled(school: School, **student: Any) -> Student:
    """A student currently enrolled at a school."""
    made = StudentFactory.create(**student)
    EnrollmentFactory.create(student=made, school=school)
    return made
