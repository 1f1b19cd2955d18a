"""Students and contacts to be added, as rows will hold them: straight from what a source says."""

from __future__ import annotations

import datetime as dt
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from .differ import LINK_DEFAULTS, Fields
from .families import name_key
from .records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_FIELDS, ContactRecord, StudentRecord

Stay = tuple[str, str, int, str, dt.date | None, dt.date | None, str, bool]
"""School code, year's name, stint, grade level, entered, left, exit reason, primary."""


class Newcomer(msgspec.Struct, frozen=True, gc=False):
    """One new student.

    values: in the order of STUDENT_FIELDS. family: the family's key. links: external id of the contact and
    the link's values, in the order of LINK_FIELDS. allergies: pairs of StudentRecord.
    """

    external_id: str
    values: tuple[Any, ...]
    name_key: str
    family: str | None
    stays: tuple[Stay, ...]
    links: tuple[tuple[Any, ...], ...]
    allergies: tuple[tuple[str, ...], ...] = ()

    @property
    def grade_level(self) -> str:
        """That of the primary enrollment, else of the first."""
        main = next((stay for stay in self.stays if stay[7]), self.stays[0])
        return main[3]


def new_student(record: StudentRecord, *, family: str | None, year: str, primary: bool) -> Newcomer:
    """The student whom one current record in our codes speaks of, as ``plan_student`` would plan a new one.

    family: the family's key. year: name of the academic year. primary: whether the enrollment is.
    """
    stay = record.enrollment
    values = tuple([told or blank for told, blank in zip(_student_values(record), _STUDENT_BLANKS, strict=True)])
    return Newcomer(
        external_id=record.external_id,
        values=values,
        name_key=name_key(values[_FIRST], values[_LAST]),
        family=family,
        stays=((stay.school, year, 1, stay.grade_level, stay.entered, None, "", primary),),
        links=tuple(map(_link, record.contacts)) if isinstance(record.contacts, tuple) else (),
        allergies=_pairs(record.allergies),
    )


def planned_student(external_id: str, fields: Fields) -> Newcomer:
    """The student of a planned creation, ``{path: [None or blank, value]}``."""
    told = {path: after for path, (_, after) in fields.items()}
    values = tuple(told.get(name) or blank for name, blank in zip(STUDENT_FIELDS, _STUDENT_BLANKS, strict=True))
    return Newcomer(
        external_id=external_id,
        values=(*values[:_BIRTH], day(values[_BIRTH]), *values[_BIRTH + 1 :]),
        name_key=name_key(values[_FIRST], values[_LAST]),
        family=told.get("family"),
        stays=tuple(_stay(path, stay) for path, stay in told.items() if path.startswith("enrollments.")),
        links=tuple(
            (path.removeprefix("contacts."), *(link[name] for name in LINK_FIELDS))
            for path, link in told.items()
            if path.startswith("contacts.")
        ),
        allergies=_pairs(told.get("allergies")),
    )


def new_contact(record: ContactRecord) -> tuple[Any, ...]:
    """The contact's values in the order of CONTACT_FIELDS, blanks as ""."""
    return tuple([told or "" for told in _contact_values(record)])


def planned_contact(fields: Fields) -> tuple[Any, ...]:
    """As ``new_contact``, of a planned creation."""
    return tuple(fields[name][1] if name in fields else "" for name in CONTACT_FIELDS)


def stay_key(path: str) -> tuple[str, str, int]:
    """School code, year's name and stint of an enrollment's path."""
    rest, _, stint = path.removeprefix("enrollments.").rpartition(".")
    school, _, year = rest.rpartition(".")
    return school, year, int(stint)


def day(text: str | None) -> dt.date | None:
    """A date from the text that changes hold, None for none."""
    return dt.date.fromisoformat(text) if text else None


def _stay(path: str, stay: dict[str, Any]) -> Stay:
    dates = day(stay["entered"]), day(stay["left"])
    return (*stay_key(path), stay["grade_level"], *dates, stay["exit_reason"], stay["primary"])


def _link(contact: ContactRecord) -> tuple[Any, ...]:
    told = zip(_link_values(contact), LINK_DEFAULTS.values(), strict=True)
    return (contact.external_id, *[default if value is UNSET or value is None else value for value, default in told])


def _pairs(allergies: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(tuple(pair) for pair in allergies)) if allergies else ()


_student_values = attrgetter(*STUDENT_FIELDS)
_contact_values = attrgetter(*CONTACT_FIELDS)
_link_values = attrgetter(*LINK_FIELDS)
_STUDENT_BLANKS: tuple[Any, ...] = tuple(
    None if name == "birth_date" else () if name == "races" else "" for name in STUDENT_FIELDS
)
_FIRST, _LAST, _BIRTH = (STUDENT_FIELDS.index(name) for name in ("first_name", "last_name", "birth_date"))
