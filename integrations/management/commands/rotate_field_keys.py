"""`manage.py rotate_field_keys`: put every stored secret under the newest key."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, models, transaction

from integrations.secrets import EncryptedTextField, SecretUnreadable, rotate


class Command(BaseCommand):
    """Re-encrypts all secrets with the first key of FIELD_ENCRYPTION_KEYS, in one transaction."""

    help = (
        "Put every stored secret under the first key of FIELD_ENCRYPTION_KEYS. To change the key: put a "
        "new one (--new-key prints one) before the old, restart, run this, then take the old one out and "
        "restart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--new-key only prints a key."""
        parser.add_argument("--new-key", action="store_true", help="print a new key and change nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Rotate, or print a key. CommandError when a secret opens with no key; then nothing is changed."""
        if options["new_key"]:
            self.stdout.write(Fernet.generate_key().decode())
            return
        try:
            with transaction.atomic():
                count = sum(rotate_column(model, field) for model, field in encrypted_columns())
        except SecretUnreadable as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        self.stdout.write(f"{count} secrets are under the newest key.")


def encrypted_columns() -> list[tuple[type[models.Model], EncryptedTextField]]:
    """Every encrypted column of every table, history tables included."""
    return [
        (model, field)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def rotate_column(model: type[models.Model], field: EncryptedTextField) -> int:
    """Rotate one column and return how many secrets it held. SecretUnreadable names the table and the row."""
    quote = connection.ops.quote_name
    table, column, key = quote(model._meta.db_table), quote(_column(field)), quote(_column(model._meta.pk))
    count = 0
    # Past the field, which would decrypt: the plain text is never needed here.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
        for row_key, token in cursor.fetchall():
            fresh = rotate(token, what=f"The {field.verbose_name} of {model._meta.verbose_name} {row_key}")
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", [fresh, row_key])  # noqa: S608
            count += 1
    return count


def _column(field: models.Field[Any, Any]) -> str:
    if field.column is None:
        raise CommandError(f"{field} has no column.")
    return field.column
