"""Unmapped Codes on screen: one chooses our value, and saves."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import SyncRun, UnmappedCode
from mapping.models import DataEntityMapping
from tests.factories.integrations import (
    ExternalIdentityFactory,
    IntegrationFactory,
    RecordIssueFactory,
    SyncRunFactory,
    UnmappedCodeFactory,
)
from tests.factories.mapping import mapping_of
from tests.factories.people import SignIn
from tests.factories.students import StudentFactory

LIST = "/admin/integrations/unmappedcode/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def code() -> UnmappedCode:
    """The gender Q of one student, in a system whose mapping knows only M."""
    integration = IntegrationFactory.create(name="North", gender=mapping_of("gender", {"M": "M"}, name="Genders"))
    RecordIssueFactory.create(run=SyncRunFactory.create(integration=integration), external_id="9001")
    made: UnmappedCode = UnmappedCodeFactory.create(integration=integration, example="9001")
    return made


def _form(code: UnmappedCode) -> str:
    return f"{LIST}{code.pk}/map/"


def _stored() -> dict[str, str]:
    return dict(DataEntityMapping.objects.get(name="Genders").values.values_list("external_value", "value"))


def test_list_leads_to_the_form_of_the_code(registrar: Client, code: UnmappedCode) -> None:
    page = registrar.get(LIST).content.decode()

    assert f'href="{_form(code)}">Add it to the mapping</a>' in page


def test_form_shows_the_code_and_offers_our_values(registrar: Client, code: UnmappedCode) -> None:
    page = registrar.get(_form(code)).content.decode()

    assert "North sends the Gender “Q”, which Genders does not know" in page
    assert '<option value="X">Nonbinary or another gender</option>' in page
    assert _stored() == {"M": "M"}


def test_saving_maps_the_code_and_queues_an_import_of_its_students(registrar: Client, code: UnmappedCode) -> None:
    page = registrar.post(_form(code), {"value": "X"}, follow=True).content.decode()

    run = SyncRun.objects.get(status="queued")
    assert _stored() == {"M": "M", "Q": "X"}
    assert run.scope_students == ["9001"]
    assert run.requested_by is not None
    assert "“Q” is in the mapping Genders now." in page
    assert (
        f'1 student of North is imported again: <a class="console-link" href="/admin/integrations/syncrun/{run.pk}'
        in page
    )


def test_blank_choice_is_refused_and_saves_nothing(registrar: Client, code: UnmappedCode) -> None:
    page = registrar.post(_form(code), {"value": ""}, follow=True).content.decode()

    assert "Choose one of our values." in page
    assert _stored() == {"M": "M"}


def test_mapped_code_offers_to_import_those_who_wait(registrar: Client, code: UnmappedCode) -> None:
    mapping = DataEntityMapping.objects.get(name="Genders")
    mapping.values.create(external_value="q", value="X")

    listed = registrar.get(LIST).content.decode()
    response = registrar.post(f"{LIST}{code.pk}/import/")

    assert "Mapped: Nonbinary or another gender" in listed
    run = SyncRun.objects.get(status="queued")
    assert response.headers["Location"] == f"/admin/integrations/syncrun/{run.pk}/change/"
    assert "An import is running" in registrar.get(LIST).content.decode()


def test_example_leads_to_the_issue_until_there_is_a_student(registrar: Client, code: UnmappedCode) -> None:
    before = registrar.get(LIST).content.decode()
    student = StudentFactory.create()
    ExternalIdentityFactory.create(integration=code.integration, external_id="9001", student=student)

    issue = code.integration.runs.get().issues.get()
    assert f"/admin/integrations/recordissue/{issue.pk}/change/" in before
    assert f"/admin/students/student/{student.pk}/change/" in registrar.get(LIST).content.decode()


def test_code_without_a_mapping_leads_to_the_integration(registrar: Client) -> None:
    code = UnmappedCodeFactory.create(integration=IntegrationFactory.create(name="North"))

    response = registrar.get(_form(code), follow=True)

    assert response.redirect_chain[-1][0] == f"/admin/integrations/integration/{code.integration_id}/change/"
    assert "North has no mapping for this" in response.content.decode()


def test_looker_sees_the_form_but_maps_nothing(looker: Client, code: UnmappedCode) -> None:
    page = looker.get(_form(code)).content.decode()

    assert "Ask somebody who may change data entity mappings" in page
    assert looker.post(_form(code), {"value": "X"}).status_code == 403
    assert _stored() == {"M": "M"}


def test_person_limited_to_schools_finds_no_code(sign_in: SignIn, code: UnmappedCode) -> None:
    client = sign_in("Sync Service Full Access", schools=("101",))

    assert client.get(_form(code)).status_code == 404
    assert client.post(_form(code), {"value": "X"}).status_code == 404
    assert client.post(f"{LIST}{code.pk}/import/").status_code == 404


def test_nothing_is_written_on_get(registrar: Client, code: UnmappedCode) -> None:
    assert registrar.get(f"{LIST}{code.pk}/import/").status_code == 405
    assert registrar.get(f"{_form(code)}?value=X").status_code == 200
    assert _stored() == {"M": "M"}
    assert not SyncRun.objects.filter(status="queued").exists()


def test_code_of_a_dry_run_is_mapped_and_nothing_is_imported(registrar: Client, code: UnmappedCode) -> None:
    code.integration.runs.update(status="planned", dry_run=True)

    page = registrar.post(_form(code), {"value": "X"}, follow=True).content.decode()

    assert page.count("The next import takes it.") == 2
    assert "Import its students" not in page
    assert not SyncRun.objects.filter(status="queued").exists()
