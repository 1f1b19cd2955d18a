"""What hangs on a duplicate student: moved to the survivor or kept in the snapshot, and given back.

An entry of a snapshot is ``{"model", "values", "moved"}``: the row as it was, and the columns that were changed
with their new values, None where the row went with the duplicate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import Max

from integrations.models import ExternalIdentity, KeepEnrolled, MatchDecision
from students.duplicates import pair
from students.merging import Person, move_stays, same_contact
from students.models import (
    Contact,
    Enrollment,
    FieldLock,
    NotDuplicate,
    Student,
    StudentAllergy,
    StudentContact,
    StudentMerge,
    StudentPhoto,
)
from students.snapshots import column_value, row_of, row_values
from students.stays import Stay

Entry = dict[str, Any]
MOVED_UNLESS_EQUAL: dict[type[models.Model], tuple[str, tuple[str, ...]]] = {
    StudentAllergy: ("student_id", ("allergy", "note")),
    StudentPhoto: ("student_id", ()),
    FieldLock: ("student_id", ("field",)),
    KeepEnrolled: ("student_id", ("integration_id", "school_id")),
    MatchDecision: ("student_id", ("integration_id", "external_id")),
    StudentMerge: ("survivor_id", ("id",)),
}
"""Model → (its column for the student, columns): a row moves unless the survivor has one equal in these columns."""
UNSAID = {"silent", "kept", "order"}
"""Columns that a merge sets and an undo gives back without a word."""


def move_rows(survivor: Student, duplicate: Student) -> list[Entry]:
    """Move everything of the duplicate that can be the survivor's; the entries of all rows, in the order to give back.

    What is not moved is still there and goes when the duplicate is deleted.
    """
    entries: list[Entry] = []
    silent = _shared_integrations(survivor, duplicate)
    for model, (column, unless) in MOVED_UNLESS_EQUAL.items():
        entries += _move_plain(model, column, unless, survivor, duplicate)
    entries += _move_contacts(survivor, duplicate, silent)
    entries += _move_identities(survivor, duplicate, silent)
    entries += _move_enrollments(survivor, duplicate)
    entries += _carry_decisions(survivor, duplicate)
    return entries


def give_back(entry: Entry) -> str:
    """Make one row what it was before the merge; what could not be given back, "" when all could."""
    model = apps.get_model(entry["model"])
    assert issubclass(model, models.Model)
    values, moved = entry["values"], entry["moved"]
    name = str(model._meta.verbose_name)
    if moved is None:
        return "" if _saved(row_of(model, values), new=True) else f"{name}: there is another one by now"
    row = model._default_manager.filter(pk=values["id"]).first()
    if row is None:
        return f"{name}: removed since"
    kept = []
    for column, after in moved.items():
        field = next(f for f in model._meta.concrete_fields if f.attname == column)
        if column in UNSAID or field.to_python(after) == field.to_python(column_value(row, field)):
            setattr(row, column, field.to_python(values[column]))
        elif field.is_relation:
            return f"{name}: belongs to somebody else by now"
        else:
            kept.append(str(field.verbose_name))
    if not _saved(row, new=False):
        return f"{name}: does not fit any more"
    return f"{name}: {', '.join(kept)} edited since" if kept else ""


def let_one_speak(student: Student) -> None:
    """Where none of the student's ids in an integration speaks, let the first one speak again."""
    mine = ExternalIdentity.objects.filter(entity="student", student=student).order_by("pk")
    speaking = set(mine.filter(silent=False).values_list("integration", flat=True))
    for identity in mine.filter(silent=True):
        if identity.integration_id not in speaking:
            speaking.add(identity.integration_id)
            ExternalIdentity.objects.filter(pk=identity.pk).update(silent=False)


def _saved(row: models.Model, *, new: bool) -> bool:
    try:
        with transaction.atomic():
            row.save(force_insert=new, force_update=not new)
    except IntegrityError:
        return False
    return True


def _move(row: models.Model, **changed: Any) -> Entry:
    """Set these columns of a row, which is moved by that."""
    entry = {"model": row._meta.label, "values": row_values(row), "moved": changed}
    for column, value in changed.items():
        setattr(row, column, value)
    row.save(update_fields=[row._meta.get_field(c).name for c in changed])
    return entry


def _stays_behind(row: models.Model) -> Entry:
    return {"model": row._meta.label, "values": row_values(row), "moved": None}


def _move_plain(
    model: type[models.Model], column: str, unless: tuple[str, ...], survivor: Student, duplicate: Student
) -> Iterator[Entry]:
    rows = model._default_manager
    taken = {tuple(getattr(one, c) for c in unless) for one in rows.filter(**{column: survivor.pk})}
    for row in rows.filter(**{column: duplicate.pk}).order_by("pk"):
        key = tuple(getattr(row, c) for c in unless)
        yield _stays_behind(row) if key in taken else _move(row, **{column: survivor.pk})


def _shared_integrations(survivor: Student, duplicate: Student) -> set[int]:
    """The integrations that know both, in which the duplicate's ids speak no more."""
    ids = ExternalIdentity.objects.filter(entity="student")
    ours, theirs = (set(ids.filter(student=s).values_list("integration", flat=True)) for s in (survivor, duplicate))
    return ours & theirs


def _move_identities(survivor: Student, duplicate: Student, silent: Collection[int]) -> Iterator[Entry]:
    for row in ExternalIdentity.objects.filter(entity="student", student=duplicate).order_by("pk"):
        yield _move(row, student_id=survivor.pk, silent=row.silent or row.integration_id in silent)


def _move_enrollments(survivor: Student, duplicate: Student) -> Iterator[Entry]:
    moves = move_stays(_stays_of(survivor), _stays_of(duplicate))
    for row in Enrollment.objects.filter(student=duplicate).order_by("pk"):
        move = moves[row.pk]
        if move is None:
            yield _stays_behind(row)
        else:
            yield _move(row, student_id=survivor.pk, stint=move.stint, primary=move.primary)


def _stays_of(student: Student) -> list[Stay]:
    columns = ("id", "school__code", "academic_year__name", "stint", "grade_level", "entered", "left", "exit_reason",
               "primary")  # fmt: skip
    names = ("id", "school", "year", "stint", "grade_level", "entered", "left", "exit_reason", "primary")
    rows = Enrollment.objects.filter(student=student).order_by("pk").values_list(*columns)
    return [Stay(**dict(zip(names, row, strict=True))) for row in rows]


def _move_contacts(survivor: Student, duplicate: Student, silent: Collection[int]) -> Iterator[Entry]:
    """Move the links to contacts the survivor lacks. A contact both have is kept once, as the survivor has it."""
    ours = StudentContact.objects.filter(student=survivor).select_related("contact")
    people = [_person(link) for link in ours]
    last = ours.aggregate(last=Max("order"))["last"] or 0
    for link in StudentContact.objects.filter(student=duplicate).select_related("contact").order_by("order", "pk"):
        twin = same_contact(_person(link), people)
        if twin is not None and (joined := _join_contact(link, twin.id, silent)) is not None:
            yield from joined
            continue
        heard = link.contact.identities.values_list("integration", flat=True)
        kept = link.kept or any(integration in silent for integration in heard)
        last += 1
        yield _move(link, student_id=survivor.pk, kept=kept, **({"order": last} if kept else {}))


def _join_contact(link: StudentContact, twin: int, silent: Collection[int]) -> list[Entry] | None:
    """Make the duplicate's own contact the survivor's; None where it has to stay one of its own.

    It has to where it serves another child too and an integration goes on to send it for this one.
    """
    contact = link.contact
    if contact.pk == twin:
        return [_stays_behind(link)]
    speaking = [one for one in contact.identities.order_by("pk") if one.integration_id not in silent]
    if contact.student_links.exclude(pk=link.pk).exists():
        return None if speaking else [_stays_behind(link)]
    taken = set(ExternalIdentity.objects.filter(contact=twin).values_list("integration", flat=True))
    if any(one.integration_id in taken for one in speaking):
        return None
    entries = [_stays_behind(contact)]
    entries += [_move(one, contact_id=twin) for one in speaking]
    entries += [_stays_behind(one) for one in contact.identities.all()]
    entries.append(_stays_behind(link))
    Contact.objects.get(pk=contact.pk).delete()
    return entries


def _person(link: StudentContact) -> Person:
    contact = link.contact
    return Person(id=contact.pk, first_name=contact.first_name, last_name=contact.last_name, restricted=link.restricted)


def _carry_decisions(survivor: Student, duplicate: Student) -> Iterator[Entry]:
    """Let what was decided of the duplicate hold for the survivor; a word that the two differ is given up."""
    for column in ("first", "second"):
        for row in NotDuplicate.objects.filter(**{column: duplicate}):
            yield _stays_behind(row)
            other = row.second_id if column == "first" else row.first_id
            if other != survivor.pk:
                first, second = pair(survivor.pk, other)
                NotDuplicate.objects.get_or_create(first_id=first, second_id=second, defaults={"user": row.user})
