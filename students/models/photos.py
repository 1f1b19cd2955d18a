"""A child's picture, as the SIS keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.core.files.storage import storages
from django.core.files.storage.base import Storage
from django.db import models, transaction

from .students import Student


def photo_storage() -> Storage:
    """Where pictures are kept: never below an address that is served without asking who looks."""
    return storages["photos"]


def forget_files(names: Iterable[str]) -> None:
    """Delete these files once it is certain that no row names them."""
    for name in sorted(names):
        transaction.on_commit(partial(photo_storage().delete, name))


class StudentPhoto(models.Model):
    """The newest picture of one child.

    image: a JPEG made anew from the source's picture. sha256: 64 hex digits over the bytes the source sent,
    by which an unchanged picture is known. source_year: the autumn of the school year it was taken in, None
    where the source does not tell.
    """

    student = models.OneToOneField(Student, on_delete=models.CASCADE, related_name="photo")
    image = models.ImageField(storage=photo_storage, upload_to="students")
    sha256 = models.CharField(max_length=64)
    source_year = models.PositiveSmallIntegerField(null=True, blank=True)
    received = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "photo"

    def __str__(self) -> str:
        return f"Photo of {self.student}"
