"""What we know about students."""

from .contacts import Contact, StudentContact
from .enrollment import Enrollment
from .ownership import FieldLock, FieldOwnership, SchoolScope
from .schools import AcademicYear, School
from .students import Family, Student

__all__ = [
    "AcademicYear",
    "Contact",
    "Enrollment",
    "Family",
    "FieldLock",
    "FieldOwnership",
    "School",
    "SchoolScope",
    "Student",
    "StudentContact",
]
