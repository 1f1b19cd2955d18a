"""A Url that carries the secret: split on save, and the secret half seen nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from integrations.configure import AS_BEFORE, CHANGED, configure
from integrations.configure_export import export
from integrations.configure_file import FileError
from integrations.inbound.rules import connection_of
from integrations.models import Integration
from integrations.secret_url import is_masked, split_url, whole_url
from integrations.secrets import decrypt
from students.models import School
from tests.factories.integrations import IntegrationFactory, SyncRunFactory
from tests.factories.mapping import mapping_of
from tests.factories.people import registrar, sign_in
from tests.world import NOVEMBER, World, a_world

__all__ = ["registrar", "sign_in"]

LIST = "/admin/integrations/integration/"
SECRET, OTHER = "Hu5hHu5hHu5hHu5h", "An0therAn0therAn"
WHOLE = f"https://sis.example.org/feeds/roster?token={SECRET}"
SHOWN = "https://sis.example.org/feeds/…"
EIGHT = ("building", "ethnicity", "grade_level", "race", "state", "gender", "language", "relationship")


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        (WHOLE, SHOWN, f"roster?token={SECRET}"),
        (f"https://h.example/feeds/{SECRET}/", "https://h.example/feeds/…", SECRET),
        (f"https://h.example/{SECRET}?a=1&b=/x#there", "https://h.example/…", f"{SECRET}?a=1&b=/x"),
        (f"https://h.example/a/{SECRET}/roster.csv", "https://h.example/a/…", f"{SECRET}/roster.csv"),
        (f"https://h.example?token={SECRET}", "https://h.example/…", f"?token={SECRET}"),
        ("https://h.example:8443/", "https://h.example:8443/", ""),
        ("https://h.example", "https://h.example", ""),
        (SHOWN, SHOWN, ""),
    ],
)
def test_what_follows_the_last_slash_is_hidden(url: str, shown: str, secret: str) -> None:
    assert split_url(url) == (shown, secret)
    assert is_masked(shown) == ("…" in shown)


TEXT = st.text("abcXYZ019-_.~", max_size=30)


@given(st.lists(TEXT.filter(bool), max_size=4), st.one_of(st.none(), TEXT.filter(bool)))
def test_the_halves_make_the_whole_and_the_first_hides_the_second(path: list[str], query: str | None) -> None:
    url = "https://h.example/" + "/".join(path) + ("" if query is None else f"?token={query}")
    shown, secret = split_url(url)
    assert whole_url(shown, secret) == url
    if path or query:
        assert shown.endswith("/…")
        assert query is None or f"token={query}" not in shown
        assert not path or path[-1] not in shown.removeprefix("https://h.example/").split("/") or path[-1] in path[:-1]


@pytest.fixture
def integration(db: None) -> Integration:
    """One whose Url carries the secret, with a run."""
    School.objects.create(code="x", name="Oak")
    mappings = {field: mapping_of(field, {"1": "x"} if field == "building" else {}) for field in EIGHT}
    made: Integration = IntegrationFactory.create(system="schooltool", url=WHOLE, token="", **mappings)
    SyncRunFactory.create(integration=made)
    return Integration.objects.get(pk=made.pk)


def column(name: str) -> str:
    """A column of the only integration as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM integrations_integration")  # noqa: S608 - a name of this file
        return str(cursor.fetchone()[0])


def sent(integration: Integration, **changed: Any) -> dict[str, Any]:
    """What the form of the integration sends when only these fields are touched."""
    values = {"name": integration.name, "url": integration.url, "environment": "sandbox", "import_enabled": "on"}
    values |= {"guard_percent": "5", "guard_count": "10", "options": "{}", "active": "on"}
    values |= {field: getattr(integration, f"{field}_id") for field in EIGHT}
    return values | changed


def test_saving_splits_the_url_and_encrypts_the_rest(integration: Integration) -> None:
    assert (integration.url, integration.url_secret) == (SHOWN, f"roster?token={SECRET}")
    assert column("url") == SHOWN
    assert decrypt(column("url_secret")) == f"roster?token={SECRET}"


def test_saving_twice_keeps_the_secret(integration: Integration) -> None:
    integration.save()
    integration.save(update_fields=["url"])
    assert whole_url(*Integration.objects.values_list("url", "url_secret").get()) == WHOLE


def test_a_system_whose_url_is_none_keeps_its_url_whole(db: None) -> None:
    made = IntegrationFactory.create(system="aeries", url="https://sis.example.org/aeries/x")
    assert (made.url, made.url_secret) == ("https://sis.example.org/aeries/x", "")


def test_the_form_saved_unchanged_keeps_the_secret(registrar: Client, integration: Integration) -> None:
    form = registrar.get(f"{LIST}{integration.pk}/change/")
    assert form.context["adminform"].form.initial["url"] == SHOWN
    assert "contract" in form.content.decode() or "our own" in form.content.decode()
    for _ in range(2):
        response = registrar.post(f"{LIST}{integration.pk}/change/", sent(integration, purpose="x"))
        assert response.status_code == 302, response.context["adminform"].form.errors
    stored = Integration.objects.get()
    assert (stored.url, stored.url_secret, stored.purpose) == (SHOWN, f"roster?token={SECRET}", "x")


def test_a_new_whole_url_replaces_the_secret(registrar: Client, integration: Integration) -> None:
    url = f"https://new.example.org/{OTHER}"
    assert registrar.post(f"{LIST}{integration.pk}/change/", sent(integration, url=url)).status_code == 302
    stored = Integration.objects.get()
    assert (stored.url, stored.url_secret) == ("https://new.example.org/…", OTHER)


@pytest.mark.parametrize("url", ["https://evil.example.org/feeds/…", "https://sis.example.org/…", "http://…"])
def test_the_stored_secret_goes_to_no_other_address(registrar: Client, integration: Integration, url: str) -> None:
    response = registrar.post(f"{LIST}{integration.pk}/change/", sent(integration, url=url))
    assert response.status_code == 200
    assert "url" in response.context["adminform"].form.errors
    assert Integration.objects.get().url == SHOWN


@pytest.mark.parametrize("system", ["schooltool", "aeries"])
def test_a_masked_url_alone_is_no_url_of_a_new_integration(db: None, system: str) -> None:
    with pytest.raises(ValidationError, match="whole Url"):
        Integration(name="New", system=system, url=SHOWN).full_clean()


def test_no_page_shows_the_secret(registrar: Client, integration: Integration) -> None:
    integration.url = f"https://sis.example.org/feeds/{OTHER}"
    integration.save()
    pages = [LIST, f"{LIST}?o=2", f"{LIST}?o=-2", "/admin/", f"{LIST}{integration.pk}/change/"]
    pages.append(f"{LIST}{integration.pk}/history/")
    pages += [f"{LIST}{integration.pk}/history/{one.history_id}/" for one in integration.history.all()]
    for page in pages:
        response = registrar.get(page)
        assert response.status_code == 200, page
        assert SECRET not in response.content.decode()
        assert OTHER not in response.content.decode()
    assert SHOWN in registrar.get(LIST).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_historicalintegration")
        assert SECRET not in str(cursor.fetchall())


def test_the_list_sorts_by_url(registrar: Client, integration: Integration) -> None:
    IntegrationFactory.create(name="First", system="schooltool", url=f"https://a.example.org/{OTHER}")
    column = next(n for n, name in enumerate(registrar.get(LIST).context["cl"].list_display) if "url" in name)
    up = [one.url for one in registrar.get(f"{LIST}?o={column}").context["cl"].result_list]
    down = [one.url for one in registrar.get(f"{LIST}?o=-{column}").context["cl"].result_list]
    assert up == sorted(up) == down[::-1] == ["https://a.example.org/…", SHOWN]


def test_configure_tells_the_readable_half_and_reads_it_back(integration: Integration) -> None:
    told = json.dumps(export(), ensure_ascii=False)
    assert SHOWN in told
    assert SECRET not in told
    assert configure(told, environ={}).counts["integrations"][AS_BEFORE] == 1
    out = StringIO()
    call_command("configure", "--export", stdout=out)
    assert SECRET not in out.getvalue()
    assert Integration.objects.get().url_secret == f"roster?token={SECRET}"


def test_configure_takes_the_whole_url_and_knows_it_again(integration: Integration) -> None:
    told = export()
    told["integrations"][0]["url"] = {"env": "FEED"}
    assert configure(json.dumps(told), environ={"FEED": WHOLE}).counts["integrations"][AS_BEFORE] == 1
    changed = WHOLE.replace(SECRET, OTHER)
    assert configure(json.dumps(told), environ={"FEED": changed}).counts["integrations"][CHANGED] == 1
    assert Integration.objects.get().url_secret == f"roster?token={OTHER}"


def test_configure_refuses_a_masked_url_of_another_address(integration: Integration) -> None:
    told = export()
    told["integrations"][0]["url"] = "https://evil.example.org/…"
    with pytest.raises(FileError, match="whole Url"):
        configure(json.dumps(told), environ={})


def test_new_keys_rotate_the_secret_too(db: None, settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    IntegrationFactory.create(system="schooltool", url=WHOLE, token="")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_field_keys", stdout=StringIO())
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert Integration.objects.get().url_secret == f"roster?token={SECRET}"


def test_the_connection_keeps_the_secret_among_the_credentials(integration: Integration) -> None:
    found = connection_of(integration, today=NOVEMBER.date())
    assert found.url == SHOWN
    assert found.credentials == {"url_secret": f"roster?token={SECRET}"}


@pytest.fixture(params=["query", "path"])
def world(db: None, request: pytest.FixtureRequest) -> Iterator[World]:
    """A feed that carries its token in the query or the path."""
    with a_world("schooltool", students=20, switches={"carried_in": request.param, "token": SECRET * 2}) as made:
        yield made


@pytest.mark.parametrize("code", ["", "F06", "F16", "F18", "F20", "F21", "F24", "F27", "F29"])
def test_no_log_message_or_run_tells_the_secret(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    world.set(options={"timeout_s": 2})
    if code:
        world.sis.faults.add(code, path="/roster")
    run = world.sync()
    call_command("check_integrations", stdout=StringIO()) if not code else None
    told = [run.error_message, run.certificate, *(issue.message + issue.remedy for issue in world.issues(run))]
    assert SECRET not in str(told) + caplog.text + "".join(capsys.readouterr())
    assert bool(run.error_message) == bool(code)
    if code:
        assert "127.0.0.1" in run.error_message
