"""A run of pictures on screen: its numbers lead to its photos and its refusals, and it is not undone."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import Change, SyncRun
from tests.factories.integrations import IntegrationFactory, RecordIssueFactory, SyncRunFactory
from tests.factories.people import looker, registrar, sign_in
from tests.factories.students import SchoolFactory, enrolled

__all__ = ["looker", "registrar", "sign_in"]
pytestmark = pytest.mark.django_db


def a_run(**values: object) -> SyncRun:
    """A run that brought one new picture and refused another."""
    integration = IntegrationFactory.create(pictures_only=True)
    counts = {"received": 3, "created": 1, "unchanged": 1, "rejected": 1}
    made: SyncRun = SyncRunFactory.create(
        **{"integration": integration, "kind": "pictures", "counts": counts, **values}
    )
    return made


def test_numbers_of_pictures_lead_to_their_rows(registrar: Client) -> None:
    run = a_run()
    student = enrolled(SchoolFactory.create(code="101"))
    Change.objects.create(run=run, entity="photo", external_id="7", kind="create", status="applied",
                          student=student, target=student.pk, schools=["101"])  # fmt: skip
    RecordIssueFactory.create(run=run, code="picture_refused", external_id="8", message="It is a GIF.")

    page = registrar.get(f"/admin/integrations/syncrun/{run.pk}/change/").content.decode()
    photos = registrar.get(f"/admin/integrations/change/?run__id__exact={run.pk}&entity=photo").content.decode()

    assert "Pictures read" in page
    assert "code__exact=picture_refused" in page
    assert "Undo this run" not in page
    assert f"{student} (photo)" in photos
    assert "Picture not taken" in page


def test_progress_of_pictures_is_told_by_school(registrar: Client) -> None:
    run = a_run(status="fetching", finished=None, checkpoint={"schools": {"9": ""}})

    page = registrar.get(f"/admin/integrations/syncrun/{run.pk}/progress/").content.decode()

    assert "schools read, 3 pictures so far" in page
