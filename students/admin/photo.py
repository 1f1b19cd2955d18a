"""A child's picture, shown to those who may see the child."""

from __future__ import annotations

from django.http import FileResponse, Http404

from students.models import Student, StudentPhoto


def photo_answer(student: Student) -> FileResponse:
    """The picture as a JPEG; 404 without one. The caller has made sure that the person may see the student."""
    photo = StudentPhoto.objects.filter(student=student).first()
    if photo is None or not photo.image.storage.exists(str(photo.image)):
        raise Http404
    return FileResponse(photo.image.open("rb"), content_type="image/jpeg")
