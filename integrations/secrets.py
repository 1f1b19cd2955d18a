"""Credentials at rest: a text column that is encrypted in the database and plain in Python.

The keys are `settings.FIELD_ENCRYPTION_KEYS`: the first encrypts, every one decrypts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Lookup, Transform

from integrations.errors import ConfigurationError


class SecretUnreadable(ConfigurationError):
    """A stored secret opens with none of the keys; the message says how to mend it and holds no secret."""

    code = "secret_unreadable"


class Unreadable(str):
    """Stands for a stored secret that opens with none of the keys: saved again, its column stays as it is.

    token: the column; what: whose secret it is, to begin a sentence with.
    """

    token: str
    what: str

    def __new__(cls, token: str, *, what: str) -> Unreadable:
        """The stand-in; its own text says nothing."""
        made = super().__new__(cls, "(unreadable)")
        made.token, made.what = token, what
        return made


def readable(secret: str) -> str:
    """A secret as it was read from its column. Raises SecretUnreadable where no key opens it."""
    if isinstance(secret, Unreadable):
        raise SecretUnreadable(_unreadable(secret.what))
    return secret


def encrypt(plain: str) -> str:
    """The token of a text under the first key; another token each time. ImproperlyConfigured without keys."""
    return _fernet().encrypt(plain.encode()).decode()


def decrypt(token: str, *, what: str = "A stored secret") -> str:
    """The text of a token. Raises SecretUnreadable, naming `what`, where no key opens it."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(_unreadable(what)) from None


def rotate(token: str, *, what: str = "A stored secret") -> str:
    """The same text under the first key. Raises SecretUnreadable, naming `what`, where no key opens it."""
    try:
        return _fernet().rotate(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(_unreadable(what)) from None


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """A text that only we can read. "" and NULL are stored as they are; only `isnull` can be asked of it."""

    description = "Encrypted text"

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """The token of the value, for the database."""
        if isinstance(value, Unreadable):
            value = value.token
        elif isinstance(value, str) and value:
            value = encrypt(value)
        return super().get_db_prep_save(value, connection)

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        """The text of the column; Unreadable where no key opens it, so that the rest of the row can be read."""
        what = f"The {self.verbose_name}"
        try:
            return decrypt(value, what=what) if value else value
        except SecretUnreadable:
            return Unreadable(value or "", what=what)

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        """Only `isnull`: every encryption differs, so comparing would silently find nothing."""
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: it can be asked for isnull only, not {lookup_name}.")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> type[Transform] | None:
        """None: nothing can be computed from it in the database."""
        raise FieldError(f"{self.name} is encrypted: it can be asked for isnull only, not {lookup_name}.")


def _fernet() -> MultiFernet:
    return _fernet_of(tuple(settings.FIELD_ENCRYPTION_KEYS))


@lru_cache(maxsize=8)
def _fernet_of(keys: Sequence[str]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is not set, so no credentials can be stored or read.")
    return MultiFernet([Fernet(key) for key in keys])


def _unreadable(what: str) -> str:
    return (
        f"{what} cannot be decrypted with any of the keys in FIELD_ENCRYPTION_KEYS. "
        "Add the key it was stored under, or enter the secret anew."
    )
