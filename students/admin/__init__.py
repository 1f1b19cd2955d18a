"""The screens of what we know about students."""

from students.admin import contacts, enrollments, families, ownership, schools, scope, students

__all__ = ["contacts", "enrollments", "families", "ownership", "schools", "scope", "students"]
