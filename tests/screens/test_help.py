"""The help, the pages for what cannot be shown, and what stands around every screen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from config.help import PAPERS
from config.refusals import too_old
from config.screen import HELP, district_time
from tests.factories.students import StudentFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", PAPERS)
def test_every_page_of_the_help_is_shown_and_its_links_lead_somewhere(looker: Client, page: str) -> None:
    response = looker.get(f"/help/{page}/")
    text = response.content.decode()
    article = text[text.index("<article") : text.index("</article>")]

    assert response.status_code == 200
    for link in re.findall(r'<a class="console-link" href="([^"]*)"', article):
        path, _, place = link.partition("#")
        target = looker.get(path).content.decode() if path else text
        assert path == "" or path.startswith(("/help/", "http"))
        assert not place or f'id="{place}"' in target, link


def test_every_screen_leads_to_a_page_that_exists() -> None:
    assert set(HELP.values()) <= set(PAPERS)


def test_help_is_for_those_who_sign_in(client: Client) -> None:
    response = client.get("/help/")

    assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/help/")


def test_unknown_page_of_the_help_is_not_found(looker: Client) -> None:
    assert looker.get("/help/nothing/").status_code == 404


@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/admin/students/student/999999/change/", 404, "This page does not exist"),
        ("/admin/auth/user/", 403, "You are not allowed to do this"),
    ],
)
def test_what_cannot_be_shown_says_why_and_leads_back(registrar: Client, address: str, status: int, title: str) -> None:
    response = registrar.get(address)
    page = response.content.decode()

    assert response.status_code == status
    assert f"<title> {title} · SIS Console</title>" in page
    assert 'href="/admin/"' in page
    assert 'href="/help/"' in page


def test_stranger_is_told_too_and_led_to_the_sign_in(client: Client) -> None:
    response = client.get("/nothing")

    assert response.status_code == 404
    assert "<h1>This page does not exist</h1>" in response.content.decode()


def test_form_without_the_mark_of_the_session_is_refused_in_words(registrar: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = registrar.cookies

    response = strict.post("/admin/students/student/add/", {})

    assert response.status_code == 403
    assert "This form was open too long" in response.content.decode()


def test_refusal_is_told_even_before_anybody_is_known() -> None:
    assert too_old(RequestFactory().post("/")).status_code == 403


def test_page_for_a_fault_of_ours_needs_nothing_of_the_rest() -> None:
    page = render_to_string("500.html")

    assert "Something went wrong in the console" in page
    assert 'href="/admin/"' in page


def test_title_and_heading_say_what_the_menu_says(registrar: Client) -> None:
    student = StudentFactory.create(first_name="Ana", last_name="Ruiz")

    def title(address: str) -> str:
        found = re.search(r"<title>(.*?)</title>", registrar.get(address).content.decode(), re.DOTALL)
        assert found
        return found[1].strip()

    assert title("/admin/") == "Dashboard · SIS Console"
    assert title("/admin/students/student/") == "Students · SIS Console"
    assert title(f"/admin/students/student/{student.pk}/change/") == "Ruiz, Ana · Students · SIS Console"
    assert title("/admin/integrations/integration/") == "SIS Integrations · SIS Console"
    assert title("/admin/integrations/recordissue/") == "Issues · SIS Console"


@pytest.mark.parametrize(
    ("zone", "told"), [("America/Los_Angeles", "Pacific time (P"), ("Europe/Berlin", "Berlin time (CE")]
)
def test_district_time_is_told_in_words(settings: Any, zone: str, told: str) -> None:
    settings.TIME_ZONE = zone

    assert district_time().startswith(told)


def test_favicon_is_there(looker: Client) -> None:
    assert (settings.BASE_DIR / "static" / "favicon.svg").is_file()
    assert 'href="/static/favicon.svg"' in looker.get("/admin/").content.decode()
