"""Suggested values on screen: for a mapping, for the inbox, and how far each entity of an integration is mapped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from integrations.models import SyncRun, UnmappedCode
from mapping.models import DataEntityMapping
from students.models import School, SchoolScope
from tests.factories.integrations import (
    IntegrationFactory,
    RecordIssueFactory,
    SyncRunFactory,
    UnmappedCodeFactory,
)
from tests.factories.mapping import mapping_of
from tests.factories.people import SignIn
from tests.world import World, a_world

pytestmark = pytest.mark.django_db
INBOX = "/admin/integrations/unmappedcode/"


@pytest.fixture
def world() -> Iterator[World]:
    """An Aeries district whose Gender mapping knows only M."""
    with a_world("aeries", students=20) as made:
        gender(made).values.exclude(external_value="M").delete()
        yield made


def gender(world: World) -> DataEntityMapping:
    """The world's Gender mapping."""
    assert world.integration.gender is not None
    return world.integration.gender


def page_of(mapping: DataEntityMapping) -> str:
    """The address of the suggestions for a mapping."""
    return f"{INBOX}suggest/{mapping.pk}/"


def stored(mapping: DataEntityMapping) -> dict[str, str]:
    """What the mapping holds."""
    return dict(mapping.values.values_list("external_value", "value"))


def test_page_of_a_mapping_leads_to_the_suggestions_and_asks_nobody(registrar: Client, world: World) -> None:
    listed = registrar.get(f"/admin/mapping/dataentitymapping/{gender(world).pk}/change/").content.decode()
    IntegrationFactory.create(name="Zeta")
    page = registrar.get(f"{page_of(gender(world))}?integration={world.integration.pk}").content.decode()

    assert f'href="{page_of(gender(world))}"' in listed
    assert "Suggest values from a system" in listed
    assert f'<option value="{world.integration.pk}" selected>District</option>' in page
    assert world.sis.truth == []


def test_suggestions_stand_beside_each_code_and_nothing_is_ticked(registrar: Client, world: World) -> None:
    page = registrar.post(page_of(gender(world)), {"integration": world.integration.pk}).content.decode()

    assert "Aeries lists 4 codes; 1 is in the mapping already." in page
    assert '<option value="F" selected>Female</option>' in page
    assert "The code is ours, known code (Aeries Gender), same description" in page
    assert "checked" not in page.split("data-suggestions")[1].split("</table>")[0]
    assert stored(gender(world)) == {"M": "M"}


def test_only_ticked_rows_are_saved(registrar: Client, world: World) -> None:
    sent = {"integration": world.integration.pk, "save": "yes", "key": ["F", "N", "X"], "value": ["F", "X", ""],
            "tick": ["F"]}  # fmt: skip
    page = registrar.post(page_of(gender(world)), sent, follow=True).content.decode()

    assert stored(gender(world)) == {"M": "M", "F": "F"}
    assert "1 value added to District gender." in page


def test_what_was_chosen_stays_when_a_ticked_row_has_no_value(registrar: Client, world: World) -> None:
    sent = {"integration": world.integration.pk, "save": "yes", "key": ["F", "N", "X"], "value": ["F", "", ""],
            "tick": ["F", "N"]}  # fmt: skip
    page = registrar.post(page_of(gender(world)), sent).content.decode()

    assert "Nothing was saved. Choose one of our values for “N”." in page
    assert '<input type="checkbox" name="tick" value="N" checked' in page
    assert stored(gender(world)) == {"M": "M"}


def test_failure_of_the_system_is_told_in_a_sentence(registrar: Client) -> None:
    mapping = mapping_of("gender", {})
    integration = IntegrationFactory.create(name="North", token="", gender=mapping)

    page = registrar.post(page_of(mapping), {"integration": integration.pk}).content.decode()

    assert "The Token is missing" in page


def test_looker_may_ask_but_saves_nothing(looker: Client, world: World) -> None:
    page = looker.post(page_of(gender(world)), {"integration": world.integration.pk}).content.decode()
    sent = {"integration": world.integration.pk, "save": "yes", "key": ["F"], "value": ["F"], "tick": ["F"]}

    assert "Ask somebody who may change data entity mappings" in page
    assert looker.post(page_of(gender(world)), sent).status_code == 403
    assert stored(gender(world)) == {"M": "M"}


def test_person_limited_to_schools_is_shown_no_codes(sign_in: SignIn) -> None:
    client = sign_in("Sync Service Full Access", schools=("101",))

    assert client.get(page_of(mapping_of("gender", {}))).status_code == 403
    assert client.get(f"{INBOX}several/").status_code == 403


def _two_codes() -> tuple[UnmappedCode, UnmappedCode]:
    integration = IntegrationFactory.create(
        name="North",
        system="powerschool",
        relationship=mapping_of("relationship", {}, name="Relations"),
        gender=mapping_of("gender", {}, name="Genders"),
    )
    run = SyncRunFactory.create(integration=integration)
    RecordIssueFactory.create(run=run, external_id="9001", raw_code="Step-Mother", entity="relationship")
    RecordIssueFactory.create(run=run, external_id="9002", raw_code="Q")
    return (
        UnmappedCodeFactory.create(integration=integration, entity="relationship", value="Step-Mother"),
        UnmappedCodeFactory.create(integration=integration, value="Q"),
    )


def test_inbox_maps_several_codes_at_once_with_one_import(registrar: Client) -> None:
    first, second = _two_codes()

    page = registrar.get(f"{INBOX}several/").content.decode()
    sent = {"key": [first.pk, second.pk], "value": ["stepmother", "not_stated"], "tick": [first.pk, second.pk]}
    after = registrar.post(f"{INBOX}several/", sent, follow=True).content.decode()

    assert '<option value="stepmother" selected>Stepmother</option>' in page
    assert "Ignore this code (counts as blank)" in page
    assert f'href="{INBOX}several/"' in registrar.get(INBOX).content.decode()
    assert SyncRun.objects.get(status="queued").scope_students == ["9001", "9002"]
    assert stored(DataEntityMapping.objects.get(name="Genders")) == {"Q": "not_stated"}
    assert "2 codes added to the mappings." in after
    assert "2 students of North are imported again" in after


def test_one_row_stands_for_all_codes_of_an_entity_without_a_mapping(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="North")
    for code in ("1", "2", "3"):
        UnmappedCodeFactory.create(integration=integration, entity="grade_level", value=code, count=4)

    page = registrar.get(INBOX).content.decode()

    assert page.count("Choose a mapping in the integration") == 1
    assert "3 codes" in page
    assert ">12<" in page.replace("\n", "").replace(" ", "")


def test_page_of_an_integration_shows_how_far_its_codes_are_mapped(registrar: Client, world: World) -> None:
    world.sync()
    own = f"/admin/integrations/integration/{world.integration.pk}/"

    page = registrar.get(f"{own}change/").content.decode()
    asked = registrar.post(f"{own}codes/", headers={"HX-Request": "true"}).content.decode()

    assert "Codes of this integration" in page
    assert "met in students without a value: “F”" in page
    assert f'{INBOX}?integration__id__exact={world.integration.pk}&amp;entity=gender"' in page
    assert "In the system’s list" in asked
    assert "3 codes of the system&#x27;s list without one" in asked
    assert registrar.get(f"{own}codes/").status_code == 405


def test_form_tells_whom_a_setting_would_touch(registrar: Client, world: World) -> None:
    world.set(drop_students_not_in_file=False)
    world.sync()
    own = f"/admin/integrations/integration/{world.integration.pk}/"
    gone = world.settled()[0]
    student = world.student(gone)
    world.district.remove(gone.id)
    world.sync()

    form = registrar.get(f"{own}change/").content.decode()
    page = registrar.get(f"{own}absent/").content.decode()

    assert "Unticked, PINs are left alone" in form
    assert "1 of them was not in the latest complete import" in form
    assert f'href="{own}absent/">Who would go, by school</a>' in form
    assert f"/admin/students/student/{student.pk}/change/" in page
    assert "Drop Students Not In File is not ticked, so they stay enrolled." in page


def test_person_limited_to_schools_sees_only_own_schools_of_who_would_go(sign_in: SignIn, world: World) -> None:
    world.sync()
    school = world.district.real_schools[0]
    client = sign_in("Sync Service Full Access")
    limited = sign_in("Sync Service Full Access", name="limited")
    SchoolScope.objects.create(
        user_id=int(limited.session["_auth_user_id"]), school=School.objects.get(code=str(school.number))
    )
    own = f"/admin/integrations/integration/{world.integration.pk}/absent/"
    other = world.district.real_schools[1].name

    assert other in client.get(own).content.decode()
    assert other not in limited.get(own).content.decode()
