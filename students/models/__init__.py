"""What we know about students."""

from .contacts import Contact, StudentContact
from .enrollment import Enrollment
from .health import StudentAllergy
from .merges import NotDuplicate, StudentMerge
from .ownership import FieldLock, FieldOwnership, SchoolScope
from .photos import StudentPhoto
from .schools import AcademicYear, School
from .students import Family, Student

__all__ = [
    "AcademicYear",
    "Contact",
    "Enrollment",
    "Family",
    "FieldLock",
    "FieldOwnership",
    "NotDuplicate",
    "School",
    "SchoolScope",
    "Student",
    "StudentAllergy",
    "StudentContact",
    "StudentMerge",
    "StudentPhoto",
]
