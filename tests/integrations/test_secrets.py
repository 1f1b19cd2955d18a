"""Credentials at rest."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from integrations.checking import check_integration
from integrations.models import Integration
from integrations.secrets import SecretUnreadable, decrypt, encrypt, readable

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def stored(db: None, settings: Settings) -> Callable[[], str]:
    """An integration whose token is "hush", under the key OLD; gives the column as the database has it."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    Integration.objects.create(name="North", system="aeries", url="https://sis.example.org", token="hush")

    def column() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT token FROM integrations_integration")
            return str(cursor.fetchone()[0])

    return column


def test_database_holds_no_plain_secret(stored: Callable[[], str]) -> None:
    assert "hush" not in stored()
    assert Integration.objects.get().token == "hush"


def test_saving_what_was_read_encrypts_it_once(stored: Callable[[], str]) -> None:
    Integration.objects.get().save()
    Integration.objects.update(token="other")

    assert Integration.objects.get().token == "other"
    assert decrypt(stored()) == "other"


def test_blank_stays_blank(stored: Callable[[], str]) -> None:
    Integration.objects.update(token="")

    assert stored() == ""
    assert Integration.objects.get().token == ""


def test_secret_fails_loudly_on_use_and_is_kept_when_the_key_is_gone(
    stored: Callable[[], str], settings: Settings
) -> None:
    token = stored()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    integration = Integration.objects.get()
    integration.name = "Renamed"
    integration.save()
    with pytest.raises(SecretUnreadable, match="FIELD_ENCRYPTION_KEYS") as raised:
        readable(integration.token)

    assert token not in raised.value.message
    assert stored() == token
    assert [line.ok for line in check_integration(integration)] == [False]
    assert "FIELD_ENCRYPTION_KEYS" in check_integration(integration)[0].message


def test_list_and_form_load_when_the_key_is_gone(
    stored: Callable[[], str], settings: Settings, admin_client: Client
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    changelist = reverse("admin:integrations_integration_changelist")
    form = reverse("admin:integrations_integration_change", args=[Integration.objects.get().pk])

    assert admin_client.get(changelist).status_code == 200
    assert "Enter it anew" in admin_client.get(form).content.decode()


def test_no_key_is_a_configuration_error(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured):
        encrypt("hush")


@pytest.mark.parametrize("question", ["token", "token__contains", "token__in", "token__lower"])
def test_a_secret_cannot_be_searched_for(stored: Callable[[], str], question: str) -> None:
    with pytest.raises(FieldError):
        Integration.objects.filter(**{question: "hush"}).exists()


def test_a_missing_secret_can_be_asked_for(stored: Callable[[], str]) -> None:
    assert not Integration.objects.filter(token__isnull=True).exists()


def test_rotation_puts_every_secret_under_the_new_key(stored: Callable[[], str], settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    said = StringIO()

    call_command("rotate_field_keys", stdout=said)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    assert Integration.objects.get().token == "hush"
    assert "1 secrets" in said.getvalue()


def test_rotation_changes_nothing_when_one_secret_is_unreadable(stored: Callable[[], str], settings: Settings) -> None:
    Integration.objects.create(name="South", system="aeries", url="https://south.example.org", token="quiet")
    Integration.objects.filter(name="North").update(token="first")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    Integration.objects.filter(name="South").update(token="lost")
    lost = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [lost, OLD]

    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_field_keys")

    assert decrypt(stored()) == "first"
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    assert Integration.objects.only("token").get(name="North").token == "first"


def test_new_key_can_encrypt(settings: Settings) -> None:
    said = StringIO()
    call_command("rotate_field_keys", "--new-key", stdout=said)
    settings.FIELD_ENCRYPTION_KEYS = [said.getvalue().strip()]

    assert decrypt(encrypt("hush")) == "hush"
