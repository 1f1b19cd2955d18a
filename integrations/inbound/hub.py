"""What we hold of the students a page speaks of, loaded in a few statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from integrations.models import ExternalIdentity
from students.models import Contact, Enrollment, FieldLock, Student, StudentContact
from students.records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_FIELDS
from students.stays import Stay
from students.student_plan import Known


class Held(msgspec.Struct, kw_only=True):
    """One student as we hold the student.

    values: the student's own fields. stays: every enrollment. links: external id of the contact → link
    fields, for contacts of the integration only. link_ids: external id → primary key of the link.
    """

    id: int
    values: dict[str, Any]
    family: str | None = None
    family_id: int | None = None
    status: str = "current"
    grade_level: str = ""
    stays: list[Stay] = []
    links: dict[str, dict[str, Any]] = {}
    link_ids: dict[str, int] = {}
    locked: frozenset[str] = frozenset()

    def as_known(self) -> Known:
        """The student as the planning rules take the student."""
        return Known(
            values=self.values,
            family=self.family,
            stays=self.stays,
            links=self.links,
            locked=self.locked,
        )


_STUDENT_COLUMNS = ("id", "family__key", "family_id", "status", "grade_level", *STUDENT_FIELDS)


def student_ids(integration_id: int, external_ids: Collection[str]) -> dict[str, int]:
    """External id → student, of the ids this integration has already linked."""
    rows = ExternalIdentity.objects.filter(
        integration_id=integration_id, entity="student", external_id__in=external_ids
    )
    return dict(rows.values_list("external_id", "student_id"))


def contact_ids(integration_id: int, external_ids: Collection[str]) -> dict[str, int]:
    """External id → contact, of the ids this integration has already linked."""
    rows = ExternalIdentity.objects.filter(
        integration_id=integration_id, entity="contact", external_id__in=external_ids
    )
    return dict(rows.values_list("external_id", "contact_id"))


def contact_values(integration_id: int, external_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """External id → the contact's own fields and ``id``, of the ids this integration has already linked."""
    if not external_ids:
        return {}
    rows = ExternalIdentity.objects.filter(
        integration_id=integration_id, entity="contact", external_id__in=external_ids
    ).values_list("external_id", "contact_id", *(f"contact__{name}" for name in CONTACT_FIELDS))
    return {row[0]: {"id": row[1], **dict(zip(CONTACT_FIELDS, row[2:], strict=True))} for row in rows}


def load(integration_id: int, ids: Iterable[int], *, for_update: bool = False) -> dict[int, Held]:
    """The students with these primary keys; for_update locks their rows until the transaction ends."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    held = _students(wanted, for_update=for_update)
    _add_stays(held)
    _add_links(integration_id, held)
    for student_id, field in FieldLock.objects.filter(student__in=wanted).values_list("student_id", "field"):
        if student_id in held:
            held[student_id].locked |= {field}
    return held


def lock_contacts(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The own fields of the contacts, their rows locked until the transaction ends."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = Contact.objects.filter(pk__in=wanted).order_by("pk").select_for_update()
    return {row[0]: dict(zip(CONTACT_FIELDS, row[1:], strict=True)) for row in rows.values_list("id", *CONTACT_FIELDS)}


def _students(ids: list[int], *, for_update: bool) -> dict[int, Held]:
    rows = Student.objects.filter(pk__in=ids).order_by("pk")
    if for_update:
        rows = rows.select_for_update(of=("self",))
    return {
        row[0]: Held(
            id=row[0],
            family=row[1],
            family_id=row[2],
            status=row[3],
            grade_level=row[4],
            values=dict(zip(STUDENT_FIELDS, row[5:], strict=True)),
            stays=[],
            links={},
            link_ids={},
        )
        for row in rows.values_list(*_STUDENT_COLUMNS)
    }


def _add_stays(held: dict[int, Held]) -> None:
    rows = Enrollment.objects.filter(student__in=held).order_by("student_id", "id")
    columns = ("id", "school__code", "academic_year__name", "stint", "grade_level", "entered", "left",
               "exit_reason", "primary")  # fmt: skip
    for student_id, *values in rows.values_list("student_id", *columns):
        names = ("id", "school", "year", "stint", "grade_level", "entered", "left", "exit_reason", "primary")
        held[student_id].stays.append(Stay(**dict(zip(names, values, strict=True))))


def _add_links(integration_id: int, held: dict[int, Held]) -> None:
    rows = StudentContact.objects.filter(
        student__in=held,
        contact__identities__integration=integration_id,
        contact__identities__entity="contact",
    ).order_by("id")
    for student_id, pk, external_id, *values in rows.values_list(
        "student_id", "id", "contact__identities__external_id", *LINK_FIELDS
    ):
        held[student_id].links[external_id] = dict(zip(LINK_FIELDS, values, strict=True))
        held[student_id].link_ids[external_id] = pk
