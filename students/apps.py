"""The Django app `students`."""

from __future__ import annotations

from django.apps import AppConfig


class StudentsConfig(AppConfig):
    """Names the app on the screens."""

    name = "students"
    verbose_name = "Students"
