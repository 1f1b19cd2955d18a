"""Keeps what a page of pictures came to: files first, then the rows that name them, in one transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from integrations.connectors.base import Picture, PicturePage
from integrations.inbound import store
from integrations.inbound.issues import Found
from integrations.inbound.pictures.check import PictureRefused, made_anew
from integrations.inbound.pictures.issues import picture_refused
from integrations.models import Change, RunPage, SyncRun
from integrations.runs import lease
from students.models import StudentPhoto
from students.models.photos import forget_files, photo_storage


class Kept(msgspec.Struct, frozen=True):
    """A picture that is to be stored: whose, the name of its file, the sha256 and year of its source."""

    picture: Picture
    student: int
    name: str
    sha256: str


def store_page(
    run: SyncRun,
    page: PicturePage,
    *,
    school: str,
    ours: str,
    whose: Mapping[str, int],
    seen: dict[int, int],
    fence: int,
) -> None:
    """Store the pictures that changed, the issues of those that cannot be used, the page and the run's counts.

    whose: external id → student. seen: student → the year, or 0, of the picture the run has had, to which the page's
    are added; a further picture is taken only where its year is later, and is no second change. The checkpoint's
    ``nobody`` counts pictures without a student by school. Raises LeaseLost.
    """
    again = Change.objects.filter(run=run, entity="photo", target__in=seen.keys() & set(whose.values()))
    changed = set(again.values_list("target", flat=True))
    before = {photo.student_id: photo for photo in StudentPhoto.objects.filter(student__in=set(whose.values()))}
    counts, nobody = Counter(run.counts), Counter(run.checkpoint.get("nobody", {}))
    kept: list[Kept] = []
    found: list[Found] = []
    for picture in sorted(page.pictures, key=lambda one: -(one.year or 0)):
        student = whose.get(picture.external_id)
        if student is None and picture.external_id:
            nobody[school] += 1
            continue
        if student in seen and (picture.year or 0) <= seen[student]:
            continue
        try:
            one = _file_of(picture, student, before.get(student or 0))
        except PictureRefused as refusal:
            counts.update(["received", "rejected"])
            found.append(picture_refused(picture.external_id, ours, why=str(refusal)))
            continue
        if student is not None:
            seen[student] = picture.year or 0
        if student not in changed:
            outcome = "unchanged" if one is None else "updated" if one.student in before else "created"
            counts.update(["received", outcome])
        if one is not None:
            kept.append(one)
    run.counts, run.checkpoint = dict(counts), {**run.checkpoint, "nobody": dict(nobody)}
    with transaction.atomic():
        row = RunPage.objects.create(
            run=run,
            resource="pictures",
            school=school,
            number=page.number,
            external_ids="\n".join(one.external_id for one in page.pictures if one.external_id),
            rows=len(page.pictures),
        )
        _point_to(kept, before)
        Change.objects.bulk_create(
            _change(run, row, one, ours, new=one.student not in before) for one in kept if one.student not in changed
        )
        store.insert_issues(run.pk, found, page_id=row.pk)
        lease.checked(run.pk, fence, counts=run.counts, checkpoint=run.checkpoint)


def _file_of(picture: Picture, student: int | None, before: StudentPhoto | None) -> Kept | None:
    """The picture's new file, written; None when ours is the same or of a later year. Raises PictureRefused."""
    if picture.fault or student is None:
        raise PictureRefused(picture.fault or "It is nobody's.")
    sha256 = hashlib.sha256(picture.data).hexdigest()
    older = before is not None and (picture.year or 0) < (before.source_year or 0)
    if before is not None and (older or before.sha256 == sha256) and photo_storage().exists(str(before.image)):
        return None
    # Named by its content, so that a run that was killed here writes the same file again.
    name = f"students/{student}-{sha256[:16]}.jpg"
    jpeg = made_anew(picture.data)
    storage = photo_storage()
    storage.delete(name)
    storage.save(name, ContentFile(jpeg))
    return Kept(picture, student, name, sha256)


def _point_to(kept: Sequence[Kept], before: Mapping[int, StudentPhoto]) -> None:
    """Make the students' photos be the new files; the old ones go once that is certain."""
    StudentPhoto.objects.bulk_create(
        [
            StudentPhoto(
                student_id=one.student, image=one.name, sha256=one.sha256, source_year=one.picture.year,
                received=timezone.now(),
            )
            for one in kept
        ],
        update_conflicts=True,
        unique_fields=["student"],
        update_fields=["image", "sha256", "source_year", "received"],
    )  # fmt: skip
    old = {str(before[one.student].image) for one in kept if one.student in before} - {one.name for one in kept}
    forget_files(old)


def _change(run: SyncRun, page: RunPage, one: Kept, ours: str, *, new: bool) -> Change:
    return Change(
        run=run, page=page, entity="photo", target=one.student, student_id=one.student, schools=[ours],
        external_id=one.picture.external_id, kind=Change.Kind.CREATE if new else Change.Kind.UPDATE,
        status=Change.Status.APPLIED, applied_at=timezone.now(),
    )  # fmt: skip
