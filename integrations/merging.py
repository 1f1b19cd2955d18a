"""Make two records of one child one student, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.errors import RunRefused
from integrations.merge_rows import give_back, let_one_speak, move_rows
from integrations.models import Change, ExternalIdentity, RecordIssue, SyncRun
from students.differ import plain
from students.labels import field_label
from students.merging import DUPLICATE, SURVIVOR, Conflict, conflicts, to_lock
from students.models import Enrollment, Family, FieldLock, Student, StudentAllergy, StudentMerge
from students.records import STUDENT_FIELDS
from students.signals import student_edited
from students.snapshots import row_of, row_values

FIELDS = (*STUDENT_FIELDS, "family")
"""What is decided field by field; everything else of the duplicate is moved."""


class MergeRefused(RunRefused):
    """Two students cannot be merged, or a merge cannot be taken back; the message tells a person why."""

    code = "merge_refused"


def conflicts_of(survivor: Student, duplicate: Student) -> list[Conflict]:
    """The fields in which the two differ; of the family its primary key."""
    return conflicts(_values(survivor), _values(duplicate), FIELDS)


def merge_students(
    *, survivor: Student, duplicate: Student, choices: Mapping[str, str], user: Any = None
) -> StudentMerge:
    """Make the duplicate part of the survivor in one transaction; the merge, by which it can be undone.

    choices: field → "survivor" or "duplicate"; a field without one takes what is preselected. A decided value
    that an import would write over is locked. Raises MergeRefused.
    """
    with transaction.atomic():
        ours, theirs = _both(survivor.pk, duplicate.pk)
        differing = conflicts_of(ours, theirs)
        _check_choices(differing, choices)
        supplied, other_supplied = _supplied(ours, theirs)
        merge = StudentMerge(survivor=ours, duplicate=theirs.pk, name=_called(theirs), user=user)
        locks = to_lock(differing, choices, survivor_supplied=supplied, duplicate_supplied=other_supplied)
        if _allergies_differ(ours, theirs) and (supplied or other_supplied):
            locks.append("allergies")
        merge.snapshot = {"student": row_values(theirs), "rows": move_rows(ours, theirs)}
        merge.snapshot["issues"] = _repoint_issues(theirs, ours)
        _delete(theirs)
        merge.snapshot["survivor"] = _take_values(ours, differing, choices, row_of(Student, merge.snapshot["student"]))
        merge.snapshot["locked"] = locks
        merge.snapshot["locks"] = _lock(ours, locks, reason=f"Decided when {merge.name} was merged", user=user)
        merge.save()
        student_edited.send(sender=Student, student_ids=[ours.pk], user=user)
    return merge


def preview_merge(*, survivor: Student, duplicate: Student, choices: Mapping[str, str]) -> StudentMerge:
    """The merge as ``merge_students`` would make it, not saved; nothing is written. Raises MergeRefused."""
    with transaction.atomic():
        merge = merge_students(survivor=survivor, duplicate=duplicate, choices=choices)
        transaction.set_rollback(True)
    return merge


def undo_merge(*, merge: StudentMerge, user: Any = None) -> list[str]:
    """Make the duplicate a student again, with all it had; what was kept as it is by now, one sentence part each.

    What was edited since keeps the later value. Raises MergeRefused.
    """
    with transaction.atomic():
        merge = StudentMerge.objects.select_for_update().get(pk=merge.pk)
        survivor = Student.objects.select_for_update().get(pk=merge.survivor_id)
        _check_undo(merge, survivor)
        duplicate = row_of(Student, merge.snapshot["student"])
        duplicate.family = Family.objects.filter(pk=duplicate.family_id or 0).first()
        duplicate.save(force_insert=True)
        kept = [told for entry in merge.snapshot["rows"] if (told := give_back(entry))]
        kept += _give_values_back(survivor, merge.snapshot["survivor"])
        FieldLock.objects.filter(pk__in=merge.snapshot["locks"], student=survivor).delete()
        RecordIssue.objects.filter(pk__in=merge.snapshot["issues"]).update(candidate=duplicate)
        Change.objects.filter(entity="student", target=duplicate.pk).update(student=duplicate)
        for one in (survivor, duplicate):
            let_one_speak(one)
            _restate(one)
        merge.undone, merge.undone_by = timezone.now(), user
        merge.save(update_fields=["undone", "undone_by"])
        student_edited.send(sender=Student, student_ids=[survivor.pk, duplicate.pk], user=user)
    return kept


def _both(survivor: int, duplicate: int) -> tuple[Student, Student]:
    if survivor == duplicate:
        raise MergeRefused("Choose two different students to merge.")
    found = {s.pk: s for s in Student.objects.select_for_update().filter(pk__in=[survivor, duplicate]).order_by("pk")}
    if len(found) < 2:
        raise MergeRefused("One of the two students is not here any more. Open Duplicate Students again.")
    _check_no_run(found.values())
    return found[survivor], found[duplicate]


def _check_no_run(students: Any) -> None:
    known = ExternalIdentity.objects.filter(student__in=list(students)).values("integration")
    run = SyncRun.objects.open().filter(integration__in=known).select_related("integration").first()
    if run is not None:
        raise MergeRefused(f"Run {run.pk} of {run.integration} is working at these students. Wait for it to end.")


def _check_choices(differing: list[Conflict], choices: Mapping[str, str]) -> None:
    unknown = [name for name in choices if name not in FIELDS]
    if unknown or any(choice not in (SURVIVOR, DUPLICATE) for choice in choices.values()):
        raise MergeRefused("A field of the form is not known. Open the two students again and choose once more.")
    taken = {one.field: one.duplicate if choices.get(one.field, one.chosen) == DUPLICATE else one.survivor
             for one in differing}  # fmt: skip
    for name in ("first_name", "last_name"):
        if name in taken and not taken[name]:
            raise MergeRefused(f"Choose the {field_label('student', name).lower()} that is not blank.")


def _check_undo(merge: StudentMerge, survivor: Student) -> None:
    if merge.undone is not None:
        raise MergeRefused(f"The merge of {merge.name} has been undone already.")
    later = StudentMerge.objects.filter(survivor=survivor, undone=None, pk__gt=merge.pk).first()
    if later is not None:
        raise MergeRefused(f"{later.name} was merged into {survivor} later. Undo that first.")
    if Student.objects.filter(pk=merge.duplicate).exists():
        raise MergeRefused(f"{merge.name} is here again already.")
    _check_no_run([survivor])


def _values(student: Student) -> dict[str, Any]:
    values = {name: plain(getattr(student, name), name) for name in STUDENT_FIELDS}
    return {**values, "family": student.family_id}


def _supplied(survivor: Student, duplicate: Student) -> tuple[bool, bool]:
    """Whether an integration speaks for the child under an id of the one, and under an id of the other, once merged."""
    rows = ExternalIdentity.objects.filter(entity="student", integration__active=True)
    ours = set(rows.filter(student=survivor).values_list("integration", flat=True))
    theirs = set(rows.filter(student=duplicate).values_list("integration", flat=True))
    return bool(ours), bool(theirs - ours)


def _allergies_differ(survivor: Student, duplicate: Student) -> bool:
    rows = StudentAllergy.objects.values_list("allergy", "note")
    return set(rows.filter(student=survivor)) != set(rows.filter(student=duplicate))


def _called(student: Student) -> str:
    number = f"student ID {student.local_id}" if student.local_id else "no student ID"
    return f"{student} ({number})"[:240]


def _repoint_issues(duplicate: Student, survivor: Student) -> list[int]:
    rows = RecordIssue.objects.filter(candidate=duplicate)
    ids = list(rows.values_list("pk", flat=True))
    rows.update(candidate=survivor)
    return ids


def _delete(duplicate: Student) -> None:
    """Delete the row with what is still its own. Its changes stay in the ledger under the number it had."""
    Student.objects.get(pk=duplicate.pk).delete()


def _take_values(
    survivor: Student, differing: list[Conflict], choices: Mapping[str, str], duplicate: Student
) -> dict[str, list[Any]]:
    """Give the survivor the values chosen from the duplicate; field → [before, after]."""
    taken: dict[str, list[Any]] = {}
    for one in differing:
        if choices.get(one.field, one.chosen) == DUPLICATE:
            taken[one.field] = [one.survivor, one.duplicate]
            column = "family_id" if one.field == "family" else one.field
            setattr(survivor, column, getattr(duplicate, column))
    _restate(survivor)
    return taken


def _give_values_back(survivor: Student, taken: Mapping[str, list[Any]]) -> list[str]:
    now = _values(survivor)
    kept = []
    for name, (before, after) in taken.items():
        if now[name] != after:
            kept.append(f"{field_label('student', name)} of {survivor}: edited since")
        elif name == "family":
            survivor.family = Family.objects.filter(pk=before or 0).first()
        else:
            setattr(survivor, name, _FIELDS_BY_NAME[name].to_python(before))
    survivor.save()
    return kept


_FIELDS_BY_NAME = {field.name: field for field in Student._meta.concrete_fields}


def _restate(student: Student) -> None:
    """Save the student with the status and grade that follow from the enrollments."""
    stays = Enrollment.objects.filter(student=student)
    current = stays.filter(left=None).order_by("-primary", "-entered", "pk").first()
    if current is not None:
        student.status, student.grade_level = Student.Status.CURRENT, current.grade_level
    elif stays.exists():
        student.status = Student.Status.FORMER
    student.save()


def _lock(student: Student, fields: list[str], *, reason: str, user: Any) -> list[int]:
    """Lock the fields that are not locked yet; the primary keys of the new locks."""
    have = set(student.locks.values_list("field", flat=True))
    new = [FieldLock(student=student, field=name, reason=reason[:200], user=user) for name in fields]
    return [lock.pk for lock in FieldLock.objects.bulk_create(lock for lock in new if lock.field not in have)]
