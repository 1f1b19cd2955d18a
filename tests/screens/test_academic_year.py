"""The academic year on the list, the form, the check and the run; the held page of a rollover."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from integrations.configure import configure
from integrations.configure_export import export
from integrations.models import Integration
from students.models import AcademicYear, School, SchoolScope
from tests.factories.people import SignIn
from tests.world import World, a_world

LIST = "/admin/integrations/integration/"
RUNS = "/admin/integrations/syncrun/"
AUGUST = dt.datetime(2027, 8, 20, 18, tzinfo=dt.UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Thirty children at two schools, read in 2026-2027; the district has gone into the next year since."""
    with a_world("powerschool", students=30) as made:
        assert made.sync().status == "complete"
        made.district.roll_over()
        yield made


def page(client: Client, address: str) -> str:
    """What a screen says, in one line."""
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def sent(client: Client, integration: Integration) -> dict[str, Any]:
    """What the stored form sends when nothing is touched."""
    form: Any = client.get(f"{LIST}{integration.pk}/change/").context["adminform"].form
    values = {name: form.initial.get(name, field.initial) for name, field in form.fields.items()}
    return {name: value for name, value in values.items() if value not in (None, False)} | {"options": ""}


def test_year_stands_on_list_form_check_and_run(registrar: Client, world: World) -> None:
    pk, run = world.integration.pk, world.integration.runs.latest("pk")

    assert "2026-2027 (by date)" in page(registrar, LIST)
    assert "Now: 2026-2027 (by date)" in page(registrar, f"{LIST}{pk}/change/")
    assert "2026-2027 (by date)." in registrar.post(f"{LIST}{pk}/check/").content.decode()
    assert "<dt>Academic year</dt><dd>2026-2027</dd>" in page(registrar, f"{RUNS}{run.pk}/change/")


def test_year_that_is_over_is_told_when_it_is_still_chosen(registrar: Client, world: World) -> None:
    world.set(year=AcademicYear.objects.get())
    with time_machine.travel(AUGUST, tick=True):
        registrar.force_login(User.objects.get(username="registrar"))
        AcademicYear.objects.create(name="2027-2028", starts=dt.date(2027, 7, 1), ends=dt.date(2028, 6, 30))

        assert "2027-2028 has begun" in page(registrar, LIST)
        form = page(registrar, f"{LIST}{world.integration.pk}/change/")
        assert "2026-2027 is chosen as the academic year imported, although 2027-2028 began on 1 July 2027" in form


def test_held_page_tells_the_rollover_by_school(approver: Client, world: World) -> None:
    with time_machine.travel(AUGUST, tick=True):
        run = world.sync()
        approver.force_login(User.objects.get(username="approver"))
        held = page(approver, f"{RUNS}{run.pk}/held/")

    assert "Rollover from 2026-2027 to 2027-2028" in held
    assert "A rollover always waits for a person." in held
    assert "Nothing unusual was found." in held
    for heading in ("Up a grade", "Same grade", "New", "Year ended"):
        assert f'<th scope="col">{heading}</th>' in held
    assert "whose enrollment ends with last year" in held
    assert "Apply adds and updates only" not in held


def test_held_page_tells_only_the_schools_the_person_may_see(sign_in: SignIn, world: World) -> None:
    with time_machine.travel(AUGUST, tick=True):
        run = world.sync()
        client = sign_in("Sync Service Full Access", name="limited")
        mine, other = School.objects.order_by("name")
        SchoolScope.objects.create(user=User.objects.get(username="limited"), school=mine)
        held = page(client, f"{RUNS}{run.pk}/held/")

    table = held.partition('id="rollover"')[2].partition("</section>")[0]
    assert mine.name in table
    assert other.name not in table


def test_year_and_limits_are_stored_when_the_form_is_saved(registrar: Client, world: World) -> None:
    year = AcademicYear.objects.get()
    values = sent(registrar, world.integration)
    values |= {"year": year.pk, "rollover_percent": "", "rollover_count": "30", "rollover_until": "2027-09-15"}

    response = registrar.post(f"{LIST}{world.integration.pk}/change/", values)

    assert response.status_code == 302, response.context["adminform"].form.errors
    stored = world.integration
    assert (stored.year, stored.rollover_percent, stored.rollover_count) == (year, 60, 30)
    assert stored.rollover_until == dt.date(2027, 9, 15)


def test_configure_takes_and_gives_the_year_and_the_limits(world: World) -> None:
    told = {
        "name": "District",
        "academic_year": "2025-2026",
        "rollover_guard": {"percent": 70, "count": 5, "until": "2025-09-01"},
    }

    configure(json.dumps({"integrations": [told]}), environ={})

    assert world.integration.year == AcademicYear.objects.get(name="2025-2026")
    (found,) = export()["integrations"]
    assert {key: found[key] for key in told} == told
    configure(json.dumps({"integrations": [{"name": "District", "academic_year": None}]}), environ={})
    assert world.integration.year is None
    assert world.integration.rollover_percent == 70
