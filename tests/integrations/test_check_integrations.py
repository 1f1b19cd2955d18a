"""`manage.py check_integrations` against sandbox servers over real sockets."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from integrations.checking import check_integration, connection_faults
from integrations.models import Integration
from integrations.sandbox.registry import start
from tests.factories.mapping import mapping_of

pytestmark = pytest.mark.django_db
VENDORS = ("aeries", "powerschool")


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each system in turn."""
    return str(request.param)


@pytest.fixture
def sis(vendor: str, settings: Any) -> Iterator[Any]:
    """A sandbox server that the console may reach."""
    with start(vendor, students=20) as running:
        settings.SIS_ALLOWED_HOSTS = [running.url.split("/")[2]]
        yield running


@pytest.fixture
def integration(vendor: str, sis: Any) -> Integration:
    """An integration with the right settings."""
    return Integration.objects.create(name="Main", system=vendor, url=sis.url, **sis.credentials)


def command(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("check_integrations", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_every_line_is_ok_when_the_settings_are_right(integration: Integration) -> None:
    lines = check_integration(integration)

    assert lines
    assert [line for line in lines if not line.ok] == []
    assert command()[0] == 0


def test_school_of_the_building_mapping_is_tried_and_named(integration: Integration, sis: Any) -> None:
    school = sis.district.real_schools[-1]
    integration.building = mapping_of("building", {f"{school.number}": "101"})

    lines = {line.name: line for line in check_integration(integration)}

    tried = [line.message for name, line in lines.items() if "Student" in name]
    assert any(f"{school.name} ({school.number})" in message for message in tried)
    assert lines["Building"].ok
    assert "School year" in lines


def test_school_that_the_system_does_not_have_is_named(integration: Integration) -> None:
    integration.building = mapping_of("building", {"4711": "101"})

    line = check_integration(integration)[-1]

    assert (line.name, line.ok) == ("Building", False)
    assert "The system has no school 4711 of the Building mapping. It has: " in line.message
    assert "Correct the External Values" in line.remedy


def test_empty_building_mapping_is_told(integration: Integration) -> None:
    integration.building = mapping_of("building", {})

    assert "an import would read no school" in check_integration(integration)[-1].message


def test_credential_is_called_as_its_field_is(integration: Integration, vendor: str) -> None:
    names = [line.name for line in check_integration(integration)]

    assert {"aeries": "Token (certificate)", "powerschool": "Consumer Token and Consumer Secret"}[vendor] in " ".join(
        names
    )


def test_school_year_that_answers_is_told(vendor: str, integration: Integration) -> None:
    told = {line.name: line.message for line in check_integration(integration)}["School year"]

    assert {"aeries": "Aeries answers for 20", "powerschool": "The year that PowerSchool has"}[vendor] in told


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"url": "http://10.0.0.5"}, "url", "The Service URL must begin with https."),
        ({"options": {"token_url": "http://10.0.0.5/token"}}, "options", "The Token URL must begin with https."),
        ({"options": {"token_url": "https://10.0.0.5/token"}}, "options", "10.0.0.5"),
    ],
)
def test_address_is_refused_before_it_is_stored(values: dict[str, Any], field: str, sentence: str) -> None:
    given = {"url": "https://sis.example.org", "options": {"token_url": "https://sis.example.org/token"}, **values}

    assert sentence in connection_faults(given, system="oneroster")[field]


def test_one_object_is_printed_when_asked_for_json(integration: Integration) -> None:
    status, said, complained = command("Main", "--json")

    found = json.loads(said)
    assert (status, complained, found["ok"]) == (0, "", True)
    assert found["integrations"][0]["integration"] == "Main"
    assert found["integrations"][0]["checks"][0].keys() == {"name", "ok", "message", "remedy"}


def test_credentials_are_blamed_when_they_are_wrong(integration: Integration) -> None:
    secrets = {"token", "consumer_token", "consumer_secret"}
    filled = {name for name in secrets if getattr(integration, name)}
    Integration.objects.update(**dict.fromkeys(filled, "wrong-0123456789"))

    status, said, _ = command("Main")

    assert status == 1
    assert "FAIL" in said
    assert "wrong-0123456789" not in said


def test_one_sentence_is_told_when_nobody_answers(integration: Integration, sis: Any) -> None:
    sis.stop()

    lines = check_integration(integration)

    assert not lines[-1].ok
    assert "127.0.0.1" in lines[-1].message
    assert command("--json")[0] == 1


def test_address_is_refused_when_it_is_not_allowed(integration: Integration, settings: Any) -> None:
    settings.SIS_ALLOWED_HOSTS = []

    lines = check_integration(integration)

    assert [(line.name, line.ok) for line in lines] == [("Settings", False)]
    assert "SIS_ALLOWED_HOSTS" in lines[0].message


def test_unknown_name_exits_2_and_lists_those_there_are() -> None:
    Integration.objects.create(name="Main", system="aeries", url="https://x.example.org")

    status, said, complained = command("Other")

    assert (status, said) == (2, "")
    assert complained == "There is no integration named 'Other'; there are: Main.\n"


def test_inactive_integrations_are_left_out_when_none_is_named() -> None:
    Integration.objects.create(name="Main", system="aeries", url="https://x.example.org", active=False)

    assert command() == (0, "There are no active integrations.\n", "")
    assert json.loads(command("--json")[1]) == {"ok": True, "integrations": []}
