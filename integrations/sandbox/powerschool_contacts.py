"""A grown-up of the district as PowerSchool's contacts API shows them: camelCase, explicit nulls, real lists.

Names are those of the in-product API explorer (mennotech/powerschool-api-docs) and of recorded answers in
grantholle/powerschool-api. One contact object is shared by all its children; each child stands in
`contactStudents`, and each of those may hold ended details besides the one of today.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from integrations.sandbox.district import Child, Contact, ContactLink, School
from integrations.sandbox.powerschool_codes import RELATIONSHIPS
from integrations.sandbox.powerschool_rows import Standing, dashed

_ORIGINAL_TYPES = {"10": "mother", "11": "father"}


def contact_bytes(
    contact: Contact,
    links: list[tuple[Child, ContactLink, Standing]],
    schools: dict[int, School],
    *,
    year: int,
) -> bytes:
    """The contact with all its children as UTF-8 JSON; `schools` by number, `year` the school year."""
    return msgspec.json.encode(contact_tree(contact, links, schools, year=year))


def contact_tree(
    contact: Contact,
    links: list[tuple[Child, ContactLink, Standing]],
    schools: dict[int, School],
    *,
    year: int,
) -> dict[str, Any]:
    """The contact with all its children; `schools` by number, `year` the school year."""
    return {
        "contactId": contact.id,
        "firstName": contact.first_name or None,
        "middleName": contact.middle_name or None,
        "lastName": contact.last_name or contact.mailing_name or None,
        "prefix": contact.prefix or None,
        "suffix": contact.suffix or None,
        "gender": None,
        "employer": None,
        "stateContactNumber": None,
        "contactNumber": None,
        "stateExcludeFromReporting": False,
        "active": True,
        "emails": _emails(contact),
        "phones": _phones(contact),
        "language": None,
        "contactAccount": None,
        "addresses": _addresses(contact),
        "contactStudents": [_student(child, link, where, schools, year) for child, link, where in links],
        "mergedIds": [],
        "mergeAccountId": None,
        "@extensions": "",
    }


def typed_phone(digits: str, contact_id: int) -> str:
    """A phone as somebody typed it: mostly (480) 555-0142, every fourth contact's 480-555-0142."""
    if len(digits) != 10 or contact_id % 4 == 3:
        return dashed(digits)
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def _emails(contact: Contact) -> list[dict[str, Any]]:
    if not contact.email:
        return []
    return [
        {
            "contactEmailId": contact.id,
            "emailId": contact.id + 500_000,
            "type": "Current",
            "primary": True,
            "address": contact.email,
        }
    ]


def _phones(contact: Contact) -> list[dict[str, Any]]:
    kinds = (("Mobile", contact.mobile_phone), ("Home", contact.home_phone), ("Work", contact.work_phone))
    given = [(kind, digits) for kind, digits in kinds if digits]
    return [
        {
            "contactsPhoneId": contact.id * 10 + place,
            "phoneNumberId": contact.id * 10 + place + 3,
            "sequence": place,
            "preferred": place == 1,
            "phoneType": kind,
            "phoneNumber": typed_phone(digits, contact.id),
            "extension": None,
            "sms": kind == "Mobile",
        }
        for place, (kind, digits) in enumerate(given, start=1)
    ]


def _addresses(contact: Contact) -> list[dict[str, Any]]:
    address = contact.address
    if not (address.line1 or address.city):
        return []
    postal_code = f"{address.postal_code}-{address.zip_ext}" if address.zip_ext else address.postal_code
    return [
        {
            "contactsAddressId": contact.id,
            "addressId": contact.id + 700_000,
            "sequence": 1,
            "addressType": "Home",
            "street": address.line1 or None,
            "linetwo": address.line2 or None,
            "unit": None,
            "city": address.city or None,
            "state": address.state or None,
            "country": "US",
            "countyCodeSetId": None,
            "postalcode": postal_code or None,
            "startDate": None,
            "endDate": None,
        }
    ]


def _student(child: Child, link: ContactLink, where: Standing, schools: dict[int, School], year: int) -> dict[str, Any]:
    number = child.dcid * 100 + link.sequence
    school = schools.get(where.school_number)
    return {
        "studentContactId": number,
        "sequence": link.order,
        "dcid": child.dcid,
        "studentNumber": str(child.id),
        "firstName": child.first_name or None,
        "middleName": child.middle_name or None,
        "lastName": child.last_name or None,
        "schoolAbbr": _initials(school.name) if school else None,
        "schoolNumber": where.school_number,
        "originalContactType": _ORIGINAL_TYPES.get(link.relationship),
        "guardianId": None,
        "canAccessData": bool(link.lives_with) and not link.restricted,
        "restrictions": [],
        "generalNotification": link.receives_mail,
        "emergencyNotification": link.emergency,
        "studentDetails": _details(number, link, year),
    }


def _details(number: int, link: ContactLink, year: int) -> list[dict[str, Any]]:
    now = {
        "studentContactDetailId": number * 10,
        "studentContactId": number,
        "relationship": RELATIONSHIPS.get(link.relationship, link.relationship) or None,
        "relationshipNote": "Restricted: see court order on file" if link.restricted else None,
        "custodial": bool(link.lives_with) and not link.restricted,
        "emergency": link.emergency,
        "livesWith": bool(link.lives_with),
        "schoolPickup": not link.restricted,
        "receivesMail": link.receives_mail,
        "excludeFromStateReporting": False,
        "active": True,
        "startDate": None,
        "endDate": None,
    }
    if number % 31:
        return [now]
    # Some links have a history: what they once were comes first.
    before = {
        **now,
        "studentContactDetailId": number * 10 + 1,
        "relationship": "Guardian",
        "emergency": True,
        "startDate": date(year - 4, 8, 1).isoformat(),
        "endDate": date(year - 2, 7, 31).isoformat(),
    }
    return [before, {**now, "startDate": date(year - 2, 8, 1).isoformat()}]


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split() if word[0].isalnum())
