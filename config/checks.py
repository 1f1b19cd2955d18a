"""System checks of the configuration: `manage.py check` says what is missing and how to give it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured


@register(Tags.security)
def check_keys(**_kwargs: Any) -> list[CheckMessage]:
    """Errors where a key is unset or no Fernet key."""
    found: list[CheckMessage] = []
    if not _has_secret_key():
        found.append(
            Error(
                "SECRET_KEY is not set.",
                hint="Set SECRET_KEY in the environment to a long random text and keep it secret.",
                id="config.E001",
            )
        )
    if not settings.FIELD_ENCRYPTION_KEYS:
        found.append(
            Error(
                "FIELD_ENCRYPTION_KEYS is not set, so no credentials can be stored.",
                hint="Set it to a comma list of Fernet keys, newest first; `manage.py rotate_field_keys "
                "--new-key` prints one.",
                id="config.E002",
            )
        )
    for position, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    f"Key number {position} in FIELD_ENCRYPTION_KEYS is not a Fernet key.",
                    hint="A Fernet key is 32 random bytes in URL-safe base64, 44 characters.",
                    id="config.E003",
                )
            )
    return found


def _has_secret_key() -> bool:
    try:
        return bool(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's answer to an empty one
        return False


@register(Tags.security)
def check_public_url(**_kwargs: Any) -> list[CheckMessage]:
    """An error where SIS_PUBLIC_URL is no https address."""
    if not settings.PUBLIC_URL:
        return []
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme == "https" and parts.hostname and not parts.path:
        return []
    return [
        Error(
            f"SIS_PUBLIC_URL is {settings.PUBLIC_URL!r}, not an https address.",
            hint="Give the address people use, without a path: https://sis.example.org",
            id="config.E004",
        )
    ]
