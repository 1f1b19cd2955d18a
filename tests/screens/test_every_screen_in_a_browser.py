"""Every screen as a browser shows it: one heading, everything named, nothing cut off, no error in the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import reverse

from config.help import PAPERS
from integrations.models import MatchDecision, SyncRun
from students.models import Student
from tests.factories.integrations import (
    ExternalIdentityFactory,
    RecordIssueFactory,
    SyncRunFactory,
    UnmappedCodeFactory,
    change_of,
)
from tests.factories.mapping import mapping_of
from tests.factories.students import (
    FamilyFactory,
    FieldLockFactory,
    FieldOwnershipFactory,
    SchoolFactory,
    SchoolScopeFactory,
    StudentContactFactory,
    enrolled,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOK = """() => {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const named = (e) => {
    const copy = e.cloneNode(true);
    copy.querySelectorAll('[aria-hidden=true], .material-symbols-outlined').forEach((icon) => icon.remove());
    const labels = (e.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id));
    const images = [...e.querySelectorAll('[role=img][aria-label], img[alt]')];
    const label = labels.map((one) => one?.textContent).join('');
    return (e.getAttribute('aria-label') || label || copy.textContent).trim() || images.length;
  };
  const pen = document.createElement('canvas').getContext('2d');
  const cut = (box) => {
    const style = getComputedStyle(box);
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return box.placeholder && pen.measureText(box.placeholder).width > room + 1;
  };
  const faults = [];
  const blame = (what, elements) => elements.forEach((e) => faults.push(`${what}: ${e.outerHTML.slice(0, 160)}`));
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const boxes = all('input:not([type=hidden]):not([type=submit]), select, textarea');
  const headings = all('h1').length;
  if (headings !== 1) faults.push(`${headings} headings h1`);
  if (!document.documentElement.lang) faults.push('no language');
  if (!document.title.trim().endsWith(' · SIS Console')) faults.push(`title ${document.title}`);
  if (/Django|_|Select .* to change/.test(document.title)) faults.push(`title ${document.title}`);
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the screen');
  blame('no label', boxes.filter((e) => !(e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby'))));
  blame('no name', all('a[href], button, [role=button]').filter((e) => !named(e)));
  blame('placeholder cut', boxes.filter(cut));
  const icons = all('.material-symbols-outlined');
  blame('icon read out', icons.filter((e) => !e.closest('[aria-hidden=true], [aria-label]')));
  return faults;
}"""


@pytest.fixture
def page(browser: Any, live_server: Any) -> Iterator[Any]:
    """A page of 1280 pixels, signed in; whatever the console tells as an error stands in ``page.faults``."""
    User.objects.create_superuser("admin", "", "x")
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.faults = []
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("console", lambda told: opened.faults.append(told.text) if told.type == "error" else None)
    opened.goto("/admin/login/")
    opened.fill("#id_username", "admin")
    opened.fill("#id_password", "x")
    opened.click("button[type=submit]")
    opened.wait_for_url("**/admin/")
    yield opened
    context.close()


def _a_district() -> None:
    """One row or more of everything a screen may show."""
    school = SchoolFactory.create()
    family = FamilyFactory.create()
    one, two = (enrolled(school, family=family) for _ in range(2))
    StudentContactFactory.create(student=one)
    FieldLockFactory.create(student=one)
    FieldOwnershipFactory.create()
    SchoolScopeFactory.create(school=school, user=User.objects.create_user("scoped"))
    run = SyncRunFactory.create()
    mapping_of("building", {"1": school.code})
    ExternalIdentityFactory.create(integration=run.integration, external_id="17", student=one)
    change_of(one, run=run, schools=[school.code], fields={"gender": ["F", "X"]})
    change_of(two, run=run, schools=[school.code], fields={"home_phone": ["", "5595550142"]})
    RecordIssueFactory.create(run=run, schools=[school.code])
    UnmappedCodeFactory.create(integration=run.integration)
    record = {"first_name": "Ana", "last_name": "Ruiz", "school": school.code, "home_phone": "5595550142"}
    match = {"code": "possible_match", "external_id": "18", "schools": [school.code], "facts": {"records": [record]}}
    issue = RecordIssueFactory.create(run=run, candidate=two, **match)
    MatchDecision.objects.create(integration=run.integration, external_id="19", student=one, issue=issue)
    asked = SyncRunFactory.create(integration=run.integration, ask_first=True, scope_students=["17"])
    change_of(one, run=asked, schools=[school.code])


def _screens() -> Iterator[str]:
    """The address of every list, form and page."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="admin")
    yield from (reverse("admin:index"), reverse("admin:password_change"), reverse("help"))
    yield from (reverse("help-page", args=[page]) for page in ("students-and-families", "commands"))
    for model, screens in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        if not screens.has_view_permission(request):
            continue
        yield reverse(f"admin:{name}_changelist")
        if screens.has_add_permission(request):
            yield reverse(f"admin:{name}_add")
        row = model._default_manager.first()
        if row is not None:
            yield reverse(f"admin:{name}_change", args=[row.pk])
    yield reverse("admin:integrations_matchdecision_changelist") + "?show=decided"
    yield reverse("admin:integrations_syncrun_refresh", args=[SyncRun.objects.get(ask_first=True).pk])
    yield reverse("admin:students_student_refresh")
    student = reverse("admin:students_student_change", args=[Student.objects.earliest("pk").pk])
    yield from (f"{student}#{tab}" for tab in ("enrollments", "contact_links", "locks", "identities"))


def test_every_screen_is_whole_named_and_quiet(page: Any) -> None:
    _a_district()
    wrong: list[str] = []

    for address in _screens():
        page.faults.clear()
        page.goto(address)
        wrong += [f"{address}: {fault}" for fault in (*page.evaluate(LOOK), *page.faults)]

    assert not wrong, "\n".join(wrong)


def test_the_door_is_named_too(page: Any) -> None:
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_selector("text=You are logged out")
    outside = page.evaluate(LOOK)
    page.goto("/admin/login/")

    assert [*outside, *page.evaluate(LOOK), *page.faults] == []


def test_first_tab_leads_past_the_menu(page: Any) -> None:
    page.goto("/admin/students/student/")

    page.keyboard.press("Tab")
    named = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert named == "Skip to the main content"
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")


def test_account_menu_and_filters_open_from_the_keyboard(page: Any) -> None:
    page.goto("/admin/students/student/")

    page.get_by_role("button", name="Your account").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Log out", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")

    page.wait_for_function("document.getElementById('changelist-filter').contains(document.activeElement)")


def test_no_clock_warning_stands_in_a_date(browser: Any, page: Any) -> None:
    student = enrolled(SchoolFactory.create())
    far = browser.new_context(
        base_url=page.url, storage_state=page.context.storage_state(), timezone_id="Asia/Tokyo"
    ).new_page()

    far.goto(f"/admin/students/student/{student.pk}/change/")

    assert far.input_value("#id_birth_date") == "03/04/2017"
    assert far.locator(".timezonewarning:visible").count() == 0
    far.context.close()


def test_what_does_not_exist_leads_back(page: Any) -> None:
    page.goto("/admin/students/student/999999/change/")

    assert page.title().strip() == "This page does not exist · SIS Console"
    page.locator(".console-card").get_by_role("link", name="To the dashboard").click()
    page.wait_for_url("**/admin/")


def test_help_of_a_screen_is_one_click_away(page: Any) -> None:
    page.goto("/admin/students/family/")

    page.get_by_role("banner").or_(page.locator("#main")).get_by_role("link", name="Help", exact=True).click()

    page.wait_for_url("**/help/students-and-families/")
    assert set(PAPERS) >= {
        link.split("/")[-2]
        for link in page.locator(".console-help a").evaluate_all(
            "links => links.map((link) => link.pathname).filter((path) => path.startsWith('/help/'))"
        )
        if link != "/help/"
    }
