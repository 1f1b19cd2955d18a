"""What we hold of the students a page speaks of, loaded in a few statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from django.db.models import QuerySet

from integrations.models import ExternalIdentity
from students.models import Contact, Enrollment, FieldLock, Student, StudentAllergy, StudentContact
from students.records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_FIELDS
from students.stays import Stay
from students.student_plan import Known


class Held(msgspec.Struct, kw_only=True):
    """One student as we hold the student.

    values: the student's own fields, and the allergies as pairs where they are loaded. stays: every enrollment.
    links: external id of the contact → link fields, for contacts of the integration only. link_ids: external id →
    primary key of the link. kept: the contacts that came with a merged record, whose links stay although the
    integration does not list them.
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
    kept: frozenset[str] = frozenset()

    def as_known(self) -> Known:
        """The student as the planning rules take the student."""
        return Known(
            values=self.values,
            family=self.family,
            stays=self.stays,
            links=self.links,
            locked=self.locked,
            kept=self.kept,
        )


_STUDENT_COLUMNS = ("id", "family__key", "family_id", "status", "grade_level", *STUDENT_FIELDS)


def student_ids(integration_id: int, external_ids: Collection[str]) -> dict[str, int]:
    """External id → student, of the ids this integration has already linked."""
    return dict(_linked(integration_id, "student", external_ids).values_list("external_id", "student_id"))


def contact_ids(integration_id: int, external_ids: Collection[str]) -> dict[str, int]:
    """External id → contact, of the ids this integration has already linked."""
    return dict(_linked(integration_id, "contact", external_ids).values_list("external_id", "contact_id"))


def contact_values(integration_id: int, external_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """External id → the contact's own fields and ``id``, of the ids this integration has already linked."""
    rows = _linked(integration_id, "contact", external_ids).values_list(
        "external_id", "contact_id", *(f"contact__{name}" for name in CONTACT_FIELDS)
    )
    return {row[0]: {"id": row[1], **dict(zip(CONTACT_FIELDS, row[2:], strict=True))} for row in rows}


def load(
    integration_id: int,
    ids: Iterable[int],
    *,
    for_update: bool = False,
    unlocked: bool = False,
    allergies: bool = True,
) -> dict[int, Held]:
    """The students with these primary keys.

    for_update locks their rows until the transaction ends. unlocked: no field of any student is locked. allergies:
    whether they are wanted.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = Student.objects.filter(pk__among=wanted).order_by("pk")
    if for_update:
        rows = rows.select_for_update(of=("self",))
    held = {row[0]: _held(row) for row in rows.values_list(*_STUDENT_COLUMNS)}
    _complete(integration_id, held, unlocked=unlocked, allergies=allergies)
    return held


def load_linked(
    integration_id: int, external_ids: Collection[str], *, unlocked: bool, allergies: bool
) -> tuple[dict[str, int], dict[int, Held]]:
    """External id → student of the ids this integration has linked, and the students; the rest as for ``load``."""
    rows = Student.objects.filter(
        identities__integration=integration_id,
        identities__entity="student",
        identities__external_id__among=external_ids,
    )
    found = list(rows.order_by().values_list(*_STUDENT_COLUMNS, "identities__external_id"))
    held = {row[0]: _held(row[:-1]) for row in found}
    _complete(integration_id, held, unlocked=unlocked, allergies=allergies)
    return {row[-1]: row[0] for row in found}, held


def lock_contacts(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The own fields of the contacts, their rows locked until the transaction ends."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = Contact.objects.filter(pk__among=wanted).order_by("pk").select_for_update()
    return {row[0]: dict(zip(CONTACT_FIELDS, row[1:], strict=True)) for row in rows.values_list("id", *CONTACT_FIELDS)}


def _linked(integration_id: int, entity: str, external_ids: Collection[str]) -> QuerySet[ExternalIdentity]:
    if not external_ids:
        return ExternalIdentity.objects.none()
    return ExternalIdentity.objects.filter(
        integration_id=integration_id, entity=entity, external_id__among=external_ids
    )


def _held(row: tuple[Any, ...]) -> Held:
    values = dict(zip(STUDENT_FIELDS, row[5:], strict=True))
    return Held(
        id=row[0], family=row[1], family_id=row[2], status=row[3], grade_level=row[4], values=values,
    )  # fmt: skip


def _complete(integration_id: int, held: dict[int, Held], *, unlocked: bool, allergies: bool) -> None:
    """Add the students' enrollments, links, allergies and locks."""
    if not held:
        return
    _add_stays(held)
    _add_links(integration_id, held)
    if allergies:
        _add_allergies(held)
    if unlocked:
        return
    for student_id, field in FieldLock.objects.filter(student_id__in=held).values_list("student_id", "field"):
        held[student_id].locked |= {field}


def _add_stays(held: dict[int, Held]) -> None:
    rows = Enrollment.objects.filter(student__in=held).order_by("student_id", "id")
    columns = ("id", "school__code", "academic_year__name", "stint", "grade_level", "entered", "left",
               "exit_reason", "primary", "academic_year__ends")  # fmt: skip
    for student_id, *values in rows.values_list("student_id", *columns):
        names = ("id", "school", "year", "stint", "grade_level", "entered", "left", "exit_reason", "primary",
                 "year_ends")  # fmt: skip
        held[student_id].stays.append(Stay(**dict(zip(names, values, strict=True))))


def _add_allergies(held: dict[int, Held]) -> None:
    told: dict[int, list[tuple[str, str]]] = {pk: [] for pk in held}
    rows = StudentAllergy.objects.filter(student__in=held).order_by()
    for student_id, *pair in rows.values_list("student_id", "allergy", "note"):
        told[student_id].append((pair[0], pair[1]))
    for pk, pairs in told.items():
        held[pk].values["allergies"] = tuple(sorted(pairs))


def _add_links(integration_id: int, held: dict[int, Held]) -> None:
    rows = StudentContact.objects.filter(
        student__in=held,
        contact__identities__integration=integration_id,
        contact__identities__entity="contact",
    ).order_by("id")
    for student_id, pk, external_id, kept, *values in rows.values_list(
        "student_id", "id", "contact__identities__external_id", "kept", *LINK_FIELDS
    ):
        if kept:
            held[student_id].kept |= {external_id}
        held[student_id].links[external_id] = dict(zip(LINK_FIELDS, values, strict=True))
        held[student_id].link_ids[external_id] = pk
