"""Canonical records: what one source says of one student, typed and frozen.

A field that the source did not send is ``UNSET`` and leaves our value alone; ``None`` is a blank the
source sent on purpose. Codes are the source's own until ``mapping.translate`` has replaced them.
``gc=False``: records are trees, and a district has so many that looking for cycles in them takes long.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from msgspec import UNSET, UnsetType

Text = str | None | UnsetType
"""A text the source sent, a blank it sent (None), or nothing (UNSET)."""

Allergy = tuple[str, str]
"""One of our values, "" where no mapping knows the source's words; and those words, in full."""

CURRENT, FUTURE, LEFT = "current", "future", "left"
PRIMARY, ALTERNATE, UNLISTED = "primary", "alternate", "unlisted"


class Facts(msgspec.Struct, frozen=True, gc=False):
    """The few facts of one source record that decide between enrollments without decoding it.

    status: CURRENT, FUTURE (pre-enrolled) or LEFT. grade: the source's code. entered and left: dates
    without a time zone. program: the source's enrollment program code. role: PRIMARY, ALTERNATE, or
    UNLISTED when the program code is in neither list of the integration.
    """

    status: str = CURRENT
    grade: str = ""
    entered: dt.date | None = None
    left: dt.date | None = None
    program: str = ""
    role: str = PRIMARY


class ContactRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One contact of one student, with the link between them.

    external_id is unique in the source; two students that carry the same one share the person.
    """

    external_id: str
    first_name: Text = UNSET
    middle_name: Text = UNSET
    last_name: Text = UNSET
    prefix: Text = UNSET
    suffix: Text = UNSET
    email: Text = UNSET
    home_phone: Text = UNSET
    mobile_phone: Text = UNSET
    work_phone: Text = UNSET
    line1: Text = UNSET
    line2: Text = UNSET
    city: Text = UNSET
    state: Text = UNSET
    postal_code: Text = UNSET
    relationship: Text = UNSET
    order: int | UnsetType = UNSET
    lives_with: bool | UnsetType = UNSET
    emergency: bool | UnsetType = UNSET
    receives_mail: bool | UnsetType = UNSET
    restricted: bool | UnsetType = UNSET


class EnrollmentRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One enrollment as one school's feed tells it. school: the source's school code."""

    school: str
    grade_level: str
    entered: dt.date | None = None
    left: dt.date | None = None
    exit_reason: str = ""
    status: str = CURRENT
    role: str = PRIMARY


class Household(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a Family Identifier may compare. Each is blank when the source does not tell it.

    family_key: the source's own family number ("" and "0" are none). home_address: one line of street,
    city, state and postal code. told: False where the source does not say all of the household this time:
    a family it does not make out stays as it is.
    """

    family_key: str = ""
    head_first_name: str = ""
    head_last_name: str = ""
    head_home_phone: str = ""
    home_address: str = ""
    told: bool = True


class StudentRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that one source record says of one student.

    external_id: the source's stable student id. birth_date: a date, no time zone. races: ordered codes,
    empty when none is stated. contacts: ordered by priority, UNSET when the source was not asked for
    contacts. allergies: the source's words, once translated each with our value; UNSET when the source was not
    asked for them. enrollment: this school's.
    """

    external_id: str
    enrollment: EnrollmentRecord
    household: Household = Household()
    local_id: Text = UNSET
    state_id: Text = UNSET
    first_name: Text = UNSET
    middle_name: Text = UNSET
    last_name: Text = UNSET
    suffix: Text = UNSET
    preferred_first_name: Text = UNSET
    preferred_last_name: Text = UNSET
    birth_date: dt.date | None | UnsetType = UNSET
    gender: Text = UNSET
    ethnicity: Text = UNSET
    races: tuple[str, ...] | UnsetType = UNSET
    home_language: Text = UNSET
    correspondence_language: Text = UNSET
    email: Text = UNSET
    home_phone: Text = UNSET
    mobile_phone: Text = UNSET
    residence_line1: Text = UNSET
    residence_line2: Text = UNSET
    residence_city: Text = UNSET
    residence_state: Text = UNSET
    residence_postal_code: Text = UNSET
    mailing_line1: Text = UNSET
    mailing_line2: Text = UNSET
    mailing_city: Text = UNSET
    mailing_state: Text = UNSET
    mailing_postal_code: Text = UNSET
    pin: Text = UNSET
    contacts: tuple[ContactRecord, ...] | UnsetType = UNSET
    allergies: tuple[str | Allergy, ...] | UnsetType = UNSET


CONTACT_FIELDS = (
    "first_name", "middle_name", "last_name", "prefix", "suffix", "email", "home_phone", "mobile_phone",
    "work_phone", "line1", "line2", "city", "state", "postal_code",
)  # fmt: skip
LINK_FIELDS = ("relationship", "order", "lives_with", "emergency", "receives_mail", "restricted")
STUDENT_FIELDS = (
    "local_id", "state_id", "first_name", "middle_name", "last_name", "suffix", "preferred_first_name",
    "preferred_last_name", "birth_date", "gender", "ethnicity", "races", "home_language",
    "correspondence_language", "email", "home_phone", "mobile_phone", "residence_line1",
    "residence_line2", "residence_city", "residence_state", "residence_postal_code", "mailing_line1",
    "mailing_line2", "mailing_city", "mailing_state", "mailing_postal_code", "pin",
)  # fmt: skip
STUDENT_PATHS = (*STUDENT_FIELDS, "allergies")
"""What is compared of a student: the own fields, and the allergies as one list."""
