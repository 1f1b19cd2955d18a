"""A held run decided without a mouse: the count follows the choices, the bar never hides what has the focus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from integrations.models import KeepEnrolled, SyncRun
from tests.factories.runs import a_held_run, a_school

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Any, live_server: Any) -> Iterator[Any]:
    """A page of the admin, signed in; a mistake in any script fails the test."""
    User.objects.create_superuser("admin", "", "x")
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 700})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto("/admin/login/")
    opened.fill("#id_username", "admin")
    opened.fill("#id_password", "x")
    opened.click("button[type=submit]")
    opened.wait_for_url("**/admin/")
    yield opened
    context.close()
    assert faults == []


def test_held_run_is_decided_by_keyboard(page: Any) -> None:
    run = a_held_run(a_school(), drops=3)
    page.goto(f"/admin/integrations/syncrun/{run.pk}/held/")
    keys, count = page.keyboard, page.locator("#held-count")

    page.locator("summary").focus()
    keys.press("Tab")
    while page.evaluate("document.activeElement.type") != "radio":
        keys.press("Tab")
    keys.press("ArrowDown")
    told = count.inner_text()
    keys.press("Tab")
    keys.type("Homebound")
    hidden = page.evaluate(
        "document.activeElement.getBoundingClientRect().bottom"
        " > document.querySelector('.console-decide').getBoundingClientRect().top"
    )
    with page.expect_navigation():
        keys.press("Enter")
    saved = count.inner_text()

    assert told == "2 would end, 1 kept enrolled (1 not saved yet)"
    assert not hidden
    assert saved == "2 would end, 1 kept enrolled"
    assert KeepEnrolled.objects.get().reason == "Homebound"

    page.locator("button[value=approve]").focus()
    with page.expect_navigation():
        keys.press("Enter")

    assert str(SyncRun.objects.get(pk=run.pk).approved_by) == "admin"
