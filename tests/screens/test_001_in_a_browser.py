"""What only a browser can show: fields that come and go with the system, and the buttons by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from integrations.models import Integration, SyncRun
from mapping.defaults import ship
from mapping.models import DataEntityMapping, DataEntityMappingValue
from tests.factories.integrations import IntegrationFactory, SyncRunFactory, UnmappedCodeFactory
from tests.factories.mapping import mapping_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OWN = {
    "aeries": {"Token", "Academic Year", "Primary Enrollment Codes", "Pictures Only", "Use Contact Record"},
    "powerschool": {"Consumer Token", "Consumer Secret"},
}


@pytest.fixture
def page(browser: Any, live_server: Any) -> Iterator[Any]:
    """A page of the admin, signed in; a mistake in any script fails the test."""
    User.objects.create_superuser("admin", "", "x")
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda told: faults.append(told.text) if "Content Security Policy" in told.text else None,
    )
    opened.goto("/admin/login/")
    opened.fill("#id_username", "admin")
    opened.fill("#id_password", "x")
    opened.click("button[type=submit]")
    opened.wait_for_url("**/admin/")
    yield opened
    context.close()
    assert faults == []


def _labels(page: Any) -> set[str]:
    shown = page.locator("#integration_form label:visible").all_inner_texts()
    return {text.strip().rstrip("*:").strip() for text in shown}


def test_fields_come_and_go_with_the_system(page: Any) -> None:
    page.goto("/admin/integrations/integration/add/")
    before = _labels(page)
    told = {}
    for system in OWN:
        page.select_option("select[name=system]", system)
        page.wait_for_timeout(100)
        told[system] = _labels(page)

    assert not before & (OWN["aeries"] | OWN["powerschool"])
    assert OWN["aeries"] <= told["aeries"]
    assert not OWN["powerschool"] & told["aeries"]
    assert OWN["powerschool"] <= told["powerschool"]
    assert not OWN["aeries"] & told["powerschool"]
    assert "Family Key" in told["aeries"]
    assert "Family Key" not in told["powerschool"]


def test_required_fields_are_marked_once_a_system_is_chosen(page: Any) -> None:
    page.goto("/admin/integrations/integration/add/")
    fields = ("token", "consumer_token", "building", "gender", "academic_year")

    def required() -> set[str]:
        stars = page.locator("#integration_form label:visible").all_inner_texts()
        told = {f for f in fields if page.get_attribute(f"#id_{f}", "aria-required") == "true"}
        assert ("Gender*" in stars) == ("gender" in told)
        return told

    before = required()
    page.select_option("select[name=system]", "aeries")
    aeries = required()
    page.check("input[name=pictures_only]", force=True)
    pictures = required()
    page.select_option("select[name=system]", "powerschool")

    assert (before, aeries, pictures) == (set(), {"token", "building", "gender"}, {"token", "building"})
    assert required() == {"consumer_token", "building", "gender"}


def test_fitting_mappings_are_chosen_and_never_in_place_of_a_choice(page: Any) -> None:
    ship(DataEntityMapping, DataEntityMappingValue)
    own = mapping_of("gender", {"1": "F"}, name="Our genders")
    page.goto("/admin/integrations/integration/add/")

    def chosen(field: str) -> str:
        return str(page.eval_on_selector(f"#id_{field}", "e => e.selectedOptions[0].textContent"))

    page.select_option("select[name=system]", "aeries")
    first = (chosen("gender"), chosen("race"), chosen("building"))
    page.select_option("#id_gender", str(own.pk))
    page.select_option("select[name=system]", "powerschool")

    assert first == ("Aeries Gender", "Aeries Race (CALPADS)", "Select a mapping")
    assert (chosen("gender"), chosen("race")) == ("Our genders", "PowerSchool Race")


def test_stored_integration_keeps_its_mappings_when_the_system_changes(page: Any) -> None:
    integration = IntegrationFactory.create(system="aeries")
    page.goto(f"/admin/integrations/integration/{integration.pk}/change/")

    page.select_option("select[name=system]", "powerschool")

    assert page.input_value("#id_gender") == ""
    assert page.get_attribute("#id_gender", "aria-required") == "true"


def test_options_of_the_chosen_system_alone_are_shown(page: Any) -> None:
    page.goto("/admin/integrations/integration/add/")
    shown = {}
    for system in OWN:
        page.select_option("select[name=system]", system)
        inputs = page.locator(".console-option input:visible, .console-option select:visible").all()
        shown[system] = {one.get_attribute("name") for one in inputs}

    common = {"options_timeout_s", "options_max_at_once", "options_min_interval_s", "options_max_body_mb"}
    assert shown["aeries"] == common | {"options_aeries_page_size", "options_aeries_parent_codes"}
    assert shown["powerschool"] == common | {"options_powerschool_page_size", "options_powerschool_contacts"}


def test_unmapped_code_is_mapped_from_the_keyboard(page: Any) -> None:
    integration = IntegrationFactory.create(gender=mapping_of("gender", {}), import_enabled=False)
    code = UnmappedCodeFactory.create(integration=integration)
    page.goto(f"/admin/integrations/unmappedcode/{code.pk}/map/")

    page.focus("#id_value")
    page.keyboard.type("Nonb")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_selector("text=“Q” is in the mapping")
    assert integration.gender.values.get().value == "X"


def test_existing_integration_with_a_run_shows_its_fields(page: Any) -> None:
    run = SyncRunFactory.create(integration=IntegrationFactory.create(system="aeries"))

    page.goto(f"/admin/integrations/integration/{run.integration_id}/change/")

    assert OWN["aeries"] <= _labels(page)


def test_refresh_icon_works_from_the_keyboard(page: Any) -> None:
    IntegrationFactory.create(name="North", import_enabled=False)
    page.goto("/admin/integrations/integration/")

    page.focus("button[aria-label='Run the import of North']")
    page.keyboard.press("Enter")

    page.wait_for_selector("text=Importing is switched off for North")
    assert not SyncRun.objects.exists()


def test_page_of_an_open_run_follows_it_to_its_end(page: Any) -> None:
    run = SyncRunFactory.create(status="fetching", counts={}, finished=None)
    page.goto(f"/admin/integrations/syncrun/{run.pk}/change/")
    page.wait_for_selector("text=Reading the schools")

    SyncRun.objects.filter(pk=run.pk).update(status="complete", counts={"received": 7})

    page.wait_for_selector("text=Every covered school was read whole")
    page.wait_for_selector("text=In numbers")


def test_nothing_is_cut_off_at_1280_pixels(page: Any) -> None:
    IntegrationFactory.create(url="https://a-rather-long-name.district.example.org/aeries/api/v5")
    run = SyncRunFactory.create()
    paths = (
        "/admin/", "/admin/integrations/integration/", "/admin/integrations/syncrun/",
        f"/admin/integrations/syncrun/{run.pk}/change/", "/admin/students/student/",
        f"/admin/integrations/integration/{Integration.objects.first().pk}/change/",  # type: ignore[union-attr]
    )  # fmt: skip

    for path in paths:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path
