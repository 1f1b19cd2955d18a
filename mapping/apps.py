"""The Django app `mapping`."""

from __future__ import annotations

from django.apps import AppConfig


class MappingConfig(AppConfig):
    """Names the app on the screens."""

    name = "mapping"
    verbose_name = "Mappings"
