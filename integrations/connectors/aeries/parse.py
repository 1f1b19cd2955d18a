"""An Aeries student, with its contacts, in canonical shape. Pure. Sources: the README here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from students.records import LEFT, ContactRecord, EnrollmentRecord, Household, StudentRecord

from ...errors import RecordError
from ...parsing import UNREADABLE, date, integer, phone, plain, postal_code, required, text, yes_no
from ..base import RawRecord

CONTACTS_FOLLOW = b"contacts"
"""The part of a raw record after which its contacts come; it is absent where contacts are not read."""

PARENTS = ("10", "11", "12", "13")


class _Student(msgspec.Struct, gc=False):
    """What is read of a student; every other property is left undecoded."""

    StateStudentID: Any = UNSET
    LastName: Any = UNSET
    FirstName: Any = UNSET
    MiddleName: Any = UNSET
    LastNameAlias: Any = UNSET
    FirstNameAlias: Any = UNSET
    Gender: Any = UNSET
    Grade: Any = UNSET
    Birthdate: Any = UNSET
    ParentGuardianName: Any = UNSET
    HomePhone: Any = UNSET
    StudentMobilePhone: Any = UNSET
    MailingAddress: Any = UNSET
    MailingAddressCity: Any = UNSET
    MailingAddressState: Any = UNSET
    MailingAddressZipCode: Any = UNSET
    MailingAddressZipExt: Any = UNSET
    ResidenceAddress: Any = UNSET
    ResidenceAddressCity: Any = UNSET
    ResidenceAddressState: Any = UNSET
    ResidenceAddressZipCode: Any = UNSET
    ResidenceAddressZipExt: Any = UNSET
    EthnicityCode: Any = UNSET
    RaceCode1: Any = UNSET
    RaceCode2: Any = UNSET
    RaceCode3: Any = UNSET
    RaceCode4: Any = UNSET
    RaceCode5: Any = UNSET
    SchoolEnterDate: Any = UNSET
    SchoolLeaveDate: Any = UNSET
    InactiveStatusCode: Any = UNSET
    FamilyKey: Any = UNSET
    HomeLanguageCode: Any = UNSET
    CorrespondenceLanguageCode: Any = UNSET
    CorrespondanceLanguageCode: Any = UNSET
    StudentEmailAddress: Any = UNSET


class _Contact(msgspec.Struct, gc=False):
    """What is read of a contact; Comments, which may quote court orders, never."""

    SequenceNumber: Any = UNSET
    ContactOrder: Any = UNSET
    MailingName: Any = UNSET
    NamePrefix: Any = UNSET
    FirstName: Any = UNSET
    MiddleName: Any = UNSET
    LastName: Any = UNSET
    NameSuffix: Any = UNSET
    Address: Any = UNSET
    AddressCity: Any = UNSET
    AddressState: Any = UNSET
    AddressZipCode: Any = UNSET
    AddressZipExt: Any = UNSET
    RelationshipToStudentCode: Any = UNSET
    LivesWithStudentIndicator: Any = UNSET
    RedFlag: Any = UNSET
    MiscCode: Any = UNSET
    MailTagCode: Any = UNSET
    HomePhone: Any = UNSET
    WorkPhone: Any = UNSET
    WorkPhoneExt: Any = UNSET
    CellPhone: Any = UNSET
    EmailAddress: Any = UNSET


_student = msgspec.json.Decoder(_Student)
_contact = msgspec.json.Decoder(_Contact)


def student_record(record: RawRecord, school: str, *, pin: bool, parents: Collection[str] = PARENTS) -> StudentRecord:
    """The canonical record of a joined one, codes still Aeries'.

    school: the code of the school read. pin: whether the local id is the pin too. parents: relationship
    codes of those who may head a household. Raises RecordError.
    """
    try:
        student = _student.decode(record.parts[0])
        contacts = _contacts(record)
    except UNREADABLE:
        raise RecordError("bad_text", "", "The record holds bytes that are no text.") from None
    student_id = record.external_id
    return StudentRecord(
        external_id=student_id,
        local_id=student_id,
        pin=student_id if pin else UNSET,
        enrollment=_enrollment(record, student, school),
        household=_household(student, contacts, parents),
        contacts=UNSET if contacts is None else _contact_records(student_id, contacts),
        state_id=_state_id(student.StateStudentID),
        first_name=text(student.FirstName, "FirstName"),
        middle_name=text(student.MiddleName, "MiddleName"),
        last_name=text(student.LastName, "LastName"),
        preferred_first_name=text(student.FirstNameAlias, "FirstNameAlias"),
        preferred_last_name=text(student.LastNameAlias, "LastNameAlias"),
        birth_date=date(student.Birthdate, "Birthdate"),
        gender=text(student.Gender, "Gender"),
        ethnicity=text(student.EthnicityCode, "EthnicityCode"),
        races=_races(student),
        home_language=text(student.HomeLanguageCode, "HomeLanguageCode"),
        correspondence_language=_correspondence_language(student),
        email=text(student.StudentEmailAddress, "StudentEmailAddress"),
        home_phone=phone(student.HomePhone, "HomePhone"),
        mobile_phone=phone(student.StudentMobilePhone, "StudentMobilePhone"),
        residence_line1=text(student.ResidenceAddress, "ResidenceAddress"),
        residence_city=text(student.ResidenceAddressCity, "ResidenceAddressCity"),
        residence_state=text(student.ResidenceAddressState, "ResidenceAddressState"),
        residence_postal_code=_residence_postal_code(student),
        mailing_line1=text(student.MailingAddress, "MailingAddress"),
        mailing_city=text(student.MailingAddressCity, "MailingAddressCity"),
        mailing_state=text(student.MailingAddressState, "MailingAddressState"),
        mailing_postal_code=postal_code(
            student.MailingAddressZipCode, "MailingAddressZipCode", student.MailingAddressZipExt
        ),
    )


def _enrollment(record: RawRecord, student: _Student, school: str) -> EnrollmentRecord:
    facts = record.facts
    entered = date(student.SchoolEnterDate, "SchoolEnterDate")
    left = date(student.SchoolLeaveDate, "SchoolLeaveDate")
    gone = facts.status == LEFT
    return EnrollmentRecord(
        school=school,
        grade_level=required(student.Grade, "Grade"),
        entered=entered or None,
        left=(left or None) if gone else None,
        exit_reason=plain(student.InactiveStatusCode, "InactiveStatusCode") if gone else "",
        status=facts.status,
        role=facts.role,
    )


def _state_id(value: Any) -> str | None | UnsetType:
    """The ten-digit state id; zeros lost by sending it as a number come back."""
    found = text(value, "StateStudentID")
    return found.zfill(10) if isinstance(value, (int, float)) and isinstance(found, str) else found


def _races(student: _Student) -> tuple[str, ...] | UnsetType:
    codes = (student.RaceCode1, student.RaceCode2, student.RaceCode3, student.RaceCode4, student.RaceCode5)
    if all(code is UNSET for code in codes):
        return UNSET
    found = [plain(code, f"RaceCode{place}") for place, code in enumerate(codes, start=1)]
    return tuple(dict.fromkeys(code for code in found if code))


def _correspondence_language(student: _Student) -> str | None | UnsetType:
    """Older servers misspell the name."""
    if student.CorrespondenceLanguageCode is not UNSET:
        return text(student.CorrespondenceLanguageCode, "CorrespondenceLanguageCode")
    return text(student.CorrespondanceLanguageCode, "CorrespondanceLanguageCode")


def _residence_postal_code(student: _Student) -> str | None | UnsetType:
    code, extension = student.ResidenceAddressZipCode, student.ResidenceAddressZipExt
    return postal_code(code, "ResidenceAddressZipCode", extension)


def _contacts(record: RawRecord) -> list[_Contact] | None:
    """The decoded contacts by order, then sequence number; None where contacts are not read."""
    parts = record.parts
    if CONTACTS_FOLLOW not in parts:
        return None
    found = [_contact.decode(part) for part in parts[parts.index(CONTACTS_FOLLOW) + 1 :]]
    return sorted(found, key=_place)


def _place(contact: _Contact) -> tuple[int, int]:
    order = integer(contact.ContactOrder, "ContactOrder")
    return (10_000 if order is None else order, integer(contact.SequenceNumber, "SequenceNumber") or 0)


def _contact_records(student_id: str, contacts: Sequence[_Contact]) -> tuple[ContactRecord, ...]:
    """Contacts that say who or how to reach them, ranked from 1: the system's own order has duplicates."""
    told = [contact for contact in contacts if _says_anything(contact)]
    return tuple(_contact_record(student_id, contact, rank) for rank, contact in enumerate(told, start=1))


def _says_anything(contact: _Contact) -> bool:
    values = (
        contact.FirstName,
        contact.LastName,
        contact.MailingName,
        contact.HomePhone,
        contact.WorkPhone,
        contact.CellPhone,
    )
    return any(plain(value, "contact") for value in values)


def _contact_record(student_id: str, contact: _Contact, rank: int) -> ContactRecord:
    sequence = required(contact.SequenceNumber, "SequenceNumber")
    first_name, last_name = text(contact.FirstName, "FirstName"), text(contact.LastName, "LastName")
    if not first_name and not last_name:
        last_name = text(contact.MailingName, "MailingName")
    return ContactRecord(
        external_id=f"{student_id}-{sequence}",
        first_name=first_name,
        middle_name=text(contact.MiddleName, "MiddleName"),
        last_name=last_name,
        prefix=text(contact.NamePrefix, "NamePrefix"),
        suffix=text(contact.NameSuffix, "NameSuffix"),
        email=text(contact.EmailAddress, "EmailAddress"),
        home_phone=phone(contact.HomePhone, "HomePhone"),
        mobile_phone=phone(contact.CellPhone, "CellPhone"),
        work_phone=_work_phone(contact),
        line1=text(contact.Address, "Address"),
        city=text(contact.AddressCity, "AddressCity"),
        state=text(contact.AddressState, "AddressState"),
        postal_code=postal_code(contact.AddressZipCode, "AddressZipCode", contact.AddressZipExt),
        relationship=text(contact.RelationshipToStudentCode, "RelationshipToStudentCode"),
        order=rank,
        lives_with=yes_no(contact.LivesWithStudentIndicator, "LivesWithStudentIndicator"),
        receives_mail=_receives_mail(contact),
        restricted=_restricted(contact),
    )


def _work_phone(contact: _Contact) -> str | None | UnsetType:
    number, extension = phone(contact.WorkPhone, "WorkPhone"), plain(contact.WorkPhoneExt, "WorkPhoneExt")
    return f"{number} x{extension}" if number and extension else number


def _receives_mail(contact: _Contact) -> bool | UnsetType:
    return UNSET if contact.MailTagCode is UNSET else bool(plain(contact.MailTagCode, "MailTagCode"))


def _restricted(contact: _Contact) -> bool:
    """Flagged red, or of a special record type such as a restraining note."""
    return yes_no(contact.RedFlag, "RedFlag") is True or bool(plain(contact.MiscCode, "MiscCode"))


def _household(student: _Student, contacts: Sequence[_Contact] | None, parents: Collection[str]) -> Household:
    """Whose household it is; with contacts their head, without them what the student's own record says."""
    family = plain(student.FamilyKey, "FamilyKey")
    home_phone = phone(student.HomePhone, "HomePhone") or ""
    first = last = ""
    if contacts is None:
        first, _, last = plain(student.ParentGuardianName, "ParentGuardianName").rpartition(" ")
    elif head := _head(contacts, parents):
        first, last = plain(head.FirstName, "FirstName"), plain(head.LastName, "LastName")
        home_phone = phone(head.HomePhone, "HomePhone") or home_phone
    return Household(
        family_key="" if family.strip("0") == "" else family,
        head_first_name=first.strip(),
        head_last_name=last,
        head_home_phone=home_phone,
        home_address=_home_address(student),
    )


def _head(contacts: Sequence[_Contact], parents: Collection[str]) -> _Contact | None:
    """The first who lives with the student, else the first parent; never one who is restricted."""
    fit = [contact for contact in contacts if not _restricted(contact) and _says_anything(contact)]
    for contact in fit:
        if yes_no(contact.LivesWithStudentIndicator, "LivesWithStudentIndicator") is True:
            return contact
    for contact in fit:
        if plain(contact.RelationshipToStudentCode, "RelationshipToStudentCode") in parents:
            return contact
    return None


def _home_address(student: _Student) -> str:
    street = plain(student.ResidenceAddress, "ResidenceAddress")
    if not street:
        return ""
    parts = (
        street,
        plain(student.ResidenceAddressCity, "ResidenceAddressCity"),
        plain(student.ResidenceAddressState, "ResidenceAddressState"),
        _residence_postal_code(student) or "",
    )
    return ", ".join(part for part in parts if part)
