"""A child's photo: seen by those who see the child, by nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from integrations.sandbox.aeries_pictures import picture
from students.models import Student, StudentPhoto
from tests.factories.people import SignIn, looker, registrar, sign_in
from tests.factories.students import SchoolFactory, enrolled

__all__ = ["looker", "registrar", "sign_in"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: object, tmp_path: Path) -> None:
    """Pictures go to a folder of the test's own."""
    storages = settings.STORAGES  # type: ignore[attr-defined]  # the fixture of settings
    options = {"location": str(tmp_path), "base_url": None}
    settings.STORAGES = {**storages, "photos": {**storages["photos"], "OPTIONS": options}}  # type: ignore[attr-defined]


def pictured(code: str = "101") -> Student:
    """A student of a school, with a photo."""
    student = enrolled(SchoolFactory.create(code=code))
    photo = StudentPhoto(student=student, sha256="ab" * 32, source_year=2026)
    photo.image.save("one.jpg", ContentFile(picture(1)))
    return student


def address(student: Student) -> str:
    return f"/admin/students/student/{student.pk}/photo/"


def test_photo_stands_on_the_page_of_the_student(looker: Client) -> None:
    student = pictured()

    page = looker.get(f"/admin/students/student/{student.pk}/change/").content.decode()
    answer = looker.get(address(student))

    assert f'src="{address(student)}"' in page
    assert f'alt="Photo of {student}"' in page
    assert b"".join(answer.streaming_content) == picture(1)  # type: ignore[attr-defined]  # a file response
    assert answer["Content-Type"] == "image/jpeg"
    assert {"private", "no-store"} <= {part.strip() for part in answer["Cache-Control"].split(",")}


def test_photo_is_not_found_for_who_may_not_see_the_school(sign_in: SignIn) -> None:
    student = pictured("101")
    client = sign_in("Sync Service Limited Access", schools=("102",))

    assert client.get(address(student)).status_code == 404


def test_photo_is_for_nobody_who_is_not_signed_in(client: Client) -> None:
    student = pictured()

    assert client.get(address(student)).status_code == 302


def test_student_without_a_photo_has_none(registrar: Client) -> None:
    student = enrolled(SchoolFactory.create(code="101"))

    assert registrar.get(address(student)).status_code == 404
    assert "console-photo" not in registrar.get(f"/admin/students/student/{student.pk}/change/").content.decode()


def test_photo_whose_file_is_gone_is_not_found(registrar: Client) -> None:
    student = pictured()
    student.photo.image.storage.delete(student.photo.image.name)

    assert registrar.get(address(student)).status_code == 404
