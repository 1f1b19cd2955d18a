"""Suggested values in a browser: one click ticks every row with a suggestion, and another choice ticks its row."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from integrations.models import UnmappedCode
from tests.factories.integrations import IntegrationFactory, UnmappedCodeFactory
from tests.factories.mapping import mapping_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_rows_with_a_suggestion_are_ticked_by_one_click_and_others_by_choosing(browser: Any, live_server: Any) -> None:
    relations, genders = mapping_of("relationship", {}, name="Relations"), mapping_of("gender", {}, name="Genders")
    integration = IntegrationFactory.create(system="powerschool", relationship=relations, gender=genders)
    for entity, value in (("relationship", "Step-Mother"), ("relationship", "Parole officer"), ("gender", "Q")):
        UnmappedCodeFactory.create(integration=integration, entity=entity, value=value)
    User.objects.create_superuser("admin", "", "x")
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/admin/login/?next=/admin/integrations/unmappedcode/several/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "x")
    page.click("button[type=submit]")
    page.wait_for_url("**/several/")

    before = page.locator("input[name=tick]:checked").count()
    page.click("text=Tick every row with a suggestion")
    by_click = page.locator("input[name=tick]:checked").count()
    page.locator("tr", has_text="Parole officer").locator("select").select_option("other")
    by_choice = page.locator("input[name=tick]:checked").count()
    page.click("text=Save the ticked rows")
    page.wait_for_url("**/unmappedcode/")
    told = page.locator("body").inner_text()
    context.close()

    assert (before, by_click, by_choice, faults) == (0, 1, 2, [])
    assert "2 codes added to the mappings." in told
    assert dict(relations.values.values_list("external_value", "value")) == {
        "Step-Mother": "stepmother",
        "Parole officer": "other",
    }
    assert UnmappedCode.objects.filter(entity="gender").exists()
    assert not genders.values.exists()
