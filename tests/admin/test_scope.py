"""A person limited to some schools sees these schools everywhere, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from integrations.models import SyncRun
from tests.factories.integrations import (
    IntegrationFactory,
    RecordIssueFactory,
    SyncRunFactory,
    UnmappedCodeFactory,
    change_of,
)
from tests.factories.mapping import mapping_of
from tests.factories.students import FamilyFactory, SchoolFactory, StudentContactFactory, enrolled

FULL = ("Sync Service Full Access", "Approve Held Runs")
pytestmark = pytest.mark.django_db


@pytest.fixture
def district() -> dict[str, Any]:
    """Two schools, a student at each with a contact, a change and an issue, in one run; one of no school."""
    here, there = SchoolFactory.create(code="101"), SchoolFactory.create(code="102")
    building = mapping_of("building", {"1": "101", "2": "102"})
    run = SyncRunFactory.create(integration=IntegrationFactory.create(building=building))
    made: dict[str, Any] = {"run": run}
    for name, school in (("mine", here), ("theirs", there)):
        family = FamilyFactory.create()
        student = enrolled(school, family=family)
        made[f"{name} student"] = student
        made[f"{name} family"] = family
        made[f"{name} contact"] = StudentContactFactory.create(student=student).contact
        made[f"{name} enrollment"] = student.enrollments.get()
        made[f"{name} school"] = school
        made[f"{name} change"] = change_of(student, run=run, schools=[school.code])
        made[f"{name} recordissue"] = RecordIssueFactory.create(run=run, schools=[school.code])
    made["nobody's recordissue"] = RecordIssueFactory.create(run=run, schools=[])
    UnmappedCodeFactory.create(integration=run.integration)
    return made


PLACES = {
    "student": "students", "family": "students", "contact": "students", "enrollment": "students",
    "school": "students", "change": "integrations", "recordissue": "integrations",
}  # fmt: skip

# What a list leaves out unless asked for.
EVERY = {"family": "?children=any"}


@pytest.mark.parametrize("model", PLACES)
def test_list_holds_the_schools_of_the_person_only(sign_in: Any, district: dict[str, Any], model: str) -> None:
    client = sign_in(*FULL, schools=("101",))

    found = client.get(f"/admin/{PLACES[model]}/{model}/{EVERY.get(model, '')}").context["cl"].result_list

    assert list(found) == [district[f"mine {model}"]]


WITH_HISTORY = [(model, "history") for model in ("student", "contact", "enrollment")]


@pytest.mark.parametrize(("model", "page"), [*((model, "change") for model in PLACES), *WITH_HISTORY])
def test_page_of_another_school_does_not_exist(sign_in: Any, district: dict[str, Any], model: str, page: str) -> None:
    client = sign_in(*FULL, schools=("101",))
    folder = f"/admin/{PLACES[model]}/{model}"

    mine = client.get(f"{folder}/{district[f'mine {model}'].pk}/{page}/")
    theirs = client.get(f"{folder}/{district[f'theirs {model}'].pk}/{page}/")

    assert (mine.status_code, theirs.status_code) == (200, 404)


def test_past_version_of_another_school_does_not_exist(sign_in: Any, district: dict[str, Any]) -> None:
    student = district["theirs student"]
    version = student.history.first()

    response = sign_in(*FULL, schools=("101",)).get(f"/admin/students/student/{student.pk}/history/{version.pk}/")

    assert response.status_code == 404


def test_autocomplete_offers_the_schools_of_the_person_only(sign_in: Any, district: dict[str, Any]) -> None:
    client = sign_in(*FULL, schools=("101",))
    query = {"app_label": "students", "model_name": "enrollment", "field_name": "student"}

    found = client.get("/admin/autocomplete/", query).json()["results"]

    assert [one["id"] for one in found] == [str(district["mine student"].pk)]


def test_person_without_a_limit_sees_all(sign_in: Any, district: dict[str, Any]) -> None:
    issues = sign_in(*FULL).get("/admin/integrations/recordissue/").context["cl"].result_list

    assert len(issues) == 3


def test_unmapped_codes_are_for_unlimited_people(sign_in: Any, district: dict[str, Any]) -> None:
    url = "/admin/integrations/unmappedcode/"

    assert len(sign_in(*FULL, name="all").get(url).context["cl"].result_list) == 1
    assert len(sign_in(*FULL, schools=("101",)).get(url).context["cl"].result_list) == 0


def test_run_of_other_schools_does_not_exist(sign_in: Any, district: dict[str, Any]) -> None:
    SchoolFactory.create(code="103")
    run = district["run"]
    page = f"/admin/integrations/syncrun/{run.pk}/change/"

    assert sign_in(*FULL, schools=("101",), name="one").get(page).status_code == 200
    assert sign_in(*FULL, schools=("103",), name="other").get(page).status_code == 404


@pytest.mark.parametrize(("schools", "status"), [(("101",), 403), (("101", "102"), 200)])
def test_deciding_needs_all_schools_of_the_run(
    sign_in: Any, district: dict[str, Any], schools: tuple[str, ...], status: int
) -> None:
    client: Client = sign_in(*FULL, schools=schools)

    assert client.get(f"/admin/integrations/syncrun/{district['run'].pk}/undo/").status_code == status


@pytest.mark.parametrize(("schools", "ended"), [(("101",), False), (("101", "102"), True)])
def test_cancelling_needs_all_schools_of_the_run(
    sign_in: Any, district: dict[str, Any], schools: tuple[str, ...], ended: bool
) -> None:
    run = SyncRunFactory.create(integration=district["run"].integration, status="queued")
    client: Client = sign_in(*FULL, schools=schools)
    page = f"/admin/integrations/syncrun/{run.pk}/"

    assert ("Cancel this run" in client.get(f"{page}change/").content.decode()) == ended
    assert client.post(f"{page}cancel/").status_code == (302 if ended else 403)
    run.refresh_from_db()
    assert run.status == ("cancelled" if ended else "queued")


def test_problems_of_a_run_are_those_of_the_schools_of_the_person(sign_in: Any, district: dict[str, Any]) -> None:
    run = district["run"]
    for schools in (["101"], ["102"], []):
        RecordIssueFactory.create(run=run, schools=schools, severity="run", message=f"At {schools}")
    page = f"/admin/integrations/syncrun/{run.pk}/change/"

    mine = sign_in(*FULL, schools=("101",), name="one").get(page).context["problems"]
    every = sign_in(*FULL, name="all").get(page).context["problems"]

    assert [issue.message for issue in mine] == ["At ['101']"]
    assert len(every) == 3


def test_import_of_a_limited_person_covers_their_schools(sign_in: Any, district: dict[str, Any]) -> None:
    client = sign_in(*FULL, schools=("101",))

    client.post(f"/admin/integrations/integration/{district['run'].integration_id}/run/")

    assert SyncRun.objects.get(status="queued").scope_schools == ["101"]


def test_import_of_a_person_without_a_covered_school_is_refused(sign_in: Any, district: dict[str, Any]) -> None:
    client = sign_in(*FULL, schools=("103",))

    response = client.post(f"/admin/integrations/integration/{district['run'].integration_id}/run/", follow=True)

    assert "covers none of the schools of" in response.content.decode()
    assert not SyncRun.objects.filter(status="queued").exists()
