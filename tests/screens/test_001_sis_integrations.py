"""The SIS Integrations screen, one test per numbered control of its page in the manual."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.checking import check_integration
from integrations.connectors.registry import SYSTEMS
from integrations.models import Integration, SyncRun
from integrations.models.integration import SECRET_FIELDS
from integrations.system_fields import FIELDS, LABELS
from mapping.defaults import ship
from mapping.models import DataEntityMapping, DataEntityMappingValue
from tests.factories.integrations import IntegrationFactory, SyncRunFactory
from tests.factories.mapping import mapping_of
from tests.factories.students import SchoolFactory

LIST = "/admin/integrations/integration/"
ADD = f"{LIST}add/"
MAPPINGS = ("building", "ethnicity", "grade_level", "race", "state", "gender", "language", "relationship")

pytestmark = pytest.mark.django_db


def _filled(system: str = "aeries", **changed: Any) -> dict[str, Any]:
    """What a person fills in for a complete integration."""
    values: dict[str, Any] = {
        "name": "District SIS",
        "system": system,
        "url": "https://sis.example.org",
        "environment": "sandbox",
        "import_enabled": "on",
        "guard_percent": "5",
        "guard_count": "10",
    }
    if system == "aeries":
        values["token"] = "secret-token"
    else:
        values |= {"consumer_token": "key", "consumer_secret": "secret-of-consumer"}
    values |= {field: mapping_of(field, {"1": "x"}).pk for field in MAPPINGS}
    return {key: value for key, value in (values | changed).items() if value is not None}


def _again(integration: Integration, **changed: Any) -> dict[str, Any]:
    """What the form of a stored integration sends when nothing but these fields is touched."""
    stored = {field: getattr(integration, f"{field}_id") or "" for field in MAPPINGS}
    values = _filled() | stored | {"name": integration.name, "system": integration.system, "active": "on"}
    return values | {"token": ""} | changed


def _form(client: Client, url: str = ADD) -> Any:
    response = client.get(url)
    assert response.status_code == 200
    return response.context["adminform"].form


def _change(integration: Integration) -> str:
    return f"{LIST}{integration.pk}/change/"


def _names(client: Client, query: str = "") -> list[str]:
    return [one.name for one in client.get(f"{LIST}{query}").context["cl"].result_list]


def _stored(name: str = "District SIS") -> Integration:
    return Integration.objects.get(name=name)


def test_001_1_search_finds_by_name(registrar: Client) -> None:
    IntegrationFactory.create(name="North")
    IntegrationFactory.create(name="South", url="https://north.example.org")

    assert _names(registrar, "?q=north") == ["North"]


def test_001_2_include_inactive_adds_inactivated_integrations(registrar: Client) -> None:
    IntegrationFactory.create(name="Old", active=False)
    IntegrationFactory.create(name="Present")

    assert _names(registrar) == ["Present"]
    assert _names(registrar, "?inactive=yes") == ["Old", "Present"]
    assert b"Include Inactive" in registrar.get(LIST).content


def test_001_3_reset_leads_to_the_list_without_search_parameters(registrar: Client) -> None:
    page = registrar.get(f"{LIST}?q=north&inactive=yes").content.decode()

    assert '<a class="console-button" href="?">Reset</a>' in page


def test_001_4_add_new_opens_the_form(registrar: Client) -> None:
    page = registrar.get(LIST).content.decode()

    assert "Add New Student Information System Integration" in page
    assert f'href="{ADD}' in page
    assert registrar.get(ADD).status_code == 200


def test_001_4_1_name_is_required_and_named(registrar: Client) -> None:
    response = registrar.post(ADD, _filled(name=""))

    assert response.context["adminform"].form.errors["name"] == ["Name is required."]
    assert not Integration.objects.exists()


def test_001_4_2_system_offers_every_kind_we_read(registrar: Client) -> None:
    choices = dict(_form(registrar).fields["system"].widget.choices)

    assert choices.pop("") == "Select a system"
    assert choices == {system: FIELDS[system].title for system in SYSTEMS}


@pytest.mark.parametrize("system", SYSTEMS)
def test_001_4_3_fields_shown_follow_the_system(registrar: Client, system: str) -> None:
    """The browser hides what the table does not list; a form whose system is fixed has no more than that."""
    integration = IntegrationFactory.create(system=system)
    SyncRunFactory.create(integration=integration)

    fields = set(_form(registrar, _change(integration)).fields)

    assert fields == set(FIELDS[system].shown) - {"system"}


@pytest.mark.parametrize(
    ("field", "systems"),
    [
        ("token", {"aeries"}),
        ("consumer_token", {"powerschool"}),
        ("consumer_secret", {"powerschool"}),
        ("academic_year", {"aeries"}),
        ("primary_enrollment_codes", {"aeries"}),
        ("alternate_enrollment_codes", {"aeries"}),
        ("pictures_only", {"aeries"}),
        ("use_local_id_as_pin", {"aeries"}),
        ("use_contact_record", {"aeries"}),
    ],
)
def test_001_4_3_browser_shows_a_field_for_its_systems_only(registrar: Client, field: str, systems: set[str]) -> None:
    condition = registrar.get(ADD).context["adminform"].model_admin.conditional_fields[field]

    assert all((f"'{system}'" in condition) == (system in systems) for system in ("aeries", "powerschool"))


def test_001_4_3_token_is_never_shown_and_a_blank_keeps_it(registrar: Client) -> None:
    registrar.post(ADD, _filled())
    stored = _stored()

    page = registrar.get(_change(stored)).content.decode()
    registrar.post(_change(stored), _again(stored, url="https://new.example.org"))

    assert "secret-token" not in page
    assert "Leave blank to keep" in page
    assert (_stored().token, _stored().url) == ("secret-token", "https://new.example.org")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://sis.example.org", "The Url must begin with https. For a server in your own network"),
        ("https://127.0.0.1:8100/aeries", "SIS_ALLOWED_HOSTS"),
        ("https://name:word@sis.example.org", "The Url must not hold a user name or password"),
    ],
)
def test_001_4_3_url_that_may_not_be_reached_is_refused_at_save(registrar: Client, url: str, sentence: str) -> None:
    integration = IntegrationFactory.build(url=url)
    told = registrar.post(ADD, _filled(url=url)).context["adminform"].form.errors["url"]

    assert sentence in told[0]
    assert told == [line.message for line in check_integration(integration)]
    assert not Integration.objects.exists()


def test_001_4_3_required_fields_and_fitting_mappings_are_told_to_the_script(registrar: Client) -> None:
    # Tests that commit empty every table, the shipped mappings with them.
    ship(DataEntityMapping, DataEntityMappingValue)

    told = registrar.get(ADD).context["form_rules"]

    aeries = told["systems"]["aeries"]
    assert {"name", "url", "token", *MAPPINGS} <= set(aeries["required"])
    assert set(aeries["pictures"]) == {"name", "system", "url", "token", "building"}
    assert "token" not in told["systems"]["powerschool"]["required"]
    assert aeries["mappings"]["gender"] == DataEntityMapping.objects.get(name="Aeries Gender").pk
    assert "building" not in aeries["mappings"]
    assert told["existing"] is False


@pytest.mark.parametrize("url", ["sis", "ftp://sis.example.org", "https://", "https://[::1"])
def test_001_4_3_url_must_be_an_address(registrar: Client, url: str) -> None:
    response = registrar.post(ADD, _filled(url=url))

    assert "Url must be a whole address" in response.content.decode()
    assert not Integration.objects.exists()


def test_001_4_3_missing_credential_is_named_for_its_system(registrar: Client) -> None:
    response = registrar.post(ADD, _filled("powerschool", consumer_secret=""))

    errors = response.context["adminform"].form.errors
    assert errors["consumer_secret"] == ["Consumer Secret is required for PowerSchool."]


@pytest.mark.parametrize("field", MAPPINGS, ids=[f"{n}_{f}" for n, f in enumerate(MAPPINGS, start=4)])
def test_001_4_4_to_11_mapping_is_chosen_among_those_of_its_entity(registrar: Client, field: str) -> None:
    own = mapping_of(field, {"1": "x"})
    mapping_of("allergy", {"1": "milk"})

    choices = _form(registrar).fields[field].queryset
    response = registrar.post(ADD, _filled(**{field: ""}))

    assert own in choices
    assert {mapping.entity for mapping in choices} == {field}
    assert response.context["adminform"].form.errors[field] == [f"{LABELS[field]} is required for Aeries."]


def test_001_4_12_family_identifier_keeps_the_chosen_fields(registrar: Client) -> None:
    chosen = ["family_key", "household_home_address"]

    registrar.post(ADD, _filled(family_identifier=chosen))

    assert _stored().family_identifier == chosen


def test_001_4_12_family_key_is_for_aeries_only(registrar: Client) -> None:
    values = _filled("powerschool", family_identifier=["family_key", "head_of_household_last_name"])

    response = registrar.post(ADD, values)
    registrar.post(ADD, {"_waiting": response.context["waiting"]})

    assert response.context["cleared"] == ["Family Identifier: Family Key"]
    assert _stored().family_identifier == ["head_of_household_last_name"]


def test_001_4_12_pictures_only_needs_five_fields(registrar: Client) -> None:
    none = dict.fromkeys(MAPPINGS[1:], "")

    registrar.post(ADD, _filled(pictures_only="on", **none))

    assert _stored().pictures_only


def test_001_4_12_pictures_only_says_that_it_touches_no_student(registrar: Client) -> None:
    help_text = _form(registrar).fields["pictures_only"].help_text

    assert "no student is added, changed or dropped" in help_text


def test_001_4_12_pictures_only_still_needs_building(registrar: Client) -> None:
    response = registrar.post(ADD, _filled(pictures_only="on", building=""))

    assert set(response.context["adminform"].form.errors) == {"building"}


def test_001_4_13_drop_students_not_in_file_is_a_tick(registrar: Client) -> None:
    registrar.post(ADD, _filled(drop_students_not_in_file="on"))

    assert _stored().drop_students_not_in_file
    assert "Not recommended" in _form(registrar).fields["drop_students_not_in_file"].help_text


def test_001_4_13_drop_names_other_integrations_of_the_same_school(registrar: Client) -> None:
    school = SchoolFactory.create(code="101", name="Lincoln Elementary")
    building = mapping_of("building", {"994": school.code})
    IntegrationFactory.create(name="Charter", building=mapping_of("building", {"7": school.code}))
    IntegrationFactory.create(name="Old", building=building, active=False)

    values = _filled(drop_students_not_in_file="on", building=building.pk)
    saved = registrar.post(ADD, values, follow=True).content.decode()
    told = _form(registrar, _change(_stored())).fields["drop_students_not_in_file"].help_text

    assert "Charter imports students of Lincoln Elementary too" in saved
    assert told.endswith("configured for the district. Charter imports students of Lincoln Elementary too")


@pytest.mark.parametrize("field", sorted(set(LABELS) - {"options"}))
def test_001_4_every_field_says_what_it_does(registrar: Client, field: str) -> None:
    registrar.post(ADD, _filled())

    assert _form(registrar, _change(_stored())).fields[field].help_text or field in SECRET_FIELDS


def test_001_4_export_enabled_says_that_it_has_no_effect_yet(registrar: Client) -> None:
    assert _form(registrar).fields["export_enabled"].help_text.startswith("No effect in this version")
    assert b"This version sends none yet" in registrar.get("/admin/integrations/schoolconnection/").content


def test_001_4_options_are_one_labelled_input_each(registrar: Client) -> None:
    page = registrar.get(ADD).content.decode()

    assert '<label for="id_options_aeries_page_size">Page size</label>' in page
    assert 'name="options_aeries_page_size" id="id_options_aeries_page_size" value=""' in page
    assert 'placeholder="500"' in page
    assert '<option value="student_record">Student record</option>' in page
    assert page.count('name="options_timeout_s"') == 1
    assert 'name="options"' not in page


def test_001_4_options_are_stored_typed_and_only_those_of_the_system(registrar: Client) -> None:
    filled = {
        "options_aeries_page_size": "200", "options_aeries_parent_codes": " 10, 11 ,", "options_timeout_s": "30.5",
        "options_powerschool_page_size": "50", "options_powerschool_contacts": "none", "options_max_body_mb": "",
    }  # fmt: skip

    registrar.post(ADD, _filled(**filled))

    assert _stored().options == {"page_size": 200, "parent_codes": ["10", "11"], "timeout_s": 30.5}
    page = registrar.get(_change(_stored())).content.decode()
    assert 'name="options_aeries_page_size" id="id_options_aeries_page_size" value="200"' in page
    assert 'name="options_powerschool_page_size" id="id_options_powerschool_page_size" value=""' in page


def test_001_4_option_that_does_not_fit_is_named_and_shown_again(registrar: Client) -> None:
    response = registrar.post(ADD, _filled(options_aeries_page_size="many"))

    told = response.context["adminform"].form.errors["options"]
    assert told == ["The option page_size of Aeries must be a whole number from 1 to 5000."]
    assert 'value="many"' in response.content.decode()


def test_001_4_options_of_another_system_are_cleared_after_asking_only(registrar: Client) -> None:
    registrar.post(ADD, _filled(options_aeries_page_size="200", options_timeout_s="9"))
    stored = _stored()

    asked = registrar.post(_change(stored), _filled("powerschool", token="", options_timeout_s="9"))
    registrar.post(_change(stored), {"_waiting": asked.context["waiting"]})

    assert asked.context["cleared"] == ["Token", "Options: Page size"]
    assert _stored().options == {"timeout_s": 9}


def test_001_4_options_are_told_in_words_to_who_may_only_look(looker: Client) -> None:
    integration = IntegrationFactory.create(system="powerschool", options={"contacts": "none", "page_size": 50})

    page = looker.get(_change(integration)).content.decode()

    assert "Contacts: Nowhere; Page size: 50" in page
    assert "options_powerschool_page_size" not in page


def test_001_4_13_active_stands_on_existing_integrations_only(registrar: Client) -> None:
    registrar.post(ADD, _filled())
    stored = _stored()

    assert "active" not in _form(registrar).fields
    assert stored.active
    registrar.post(_change(stored), {k: v for k, v in _again(stored).items() if k != "active"})
    assert not _stored().active


def test_001_4_14_cancel_returns_to_the_list_as_it_was_filtered(registrar: Client) -> None:
    integration = IntegrationFactory.create()

    page = registrar.get(f"{_change(integration)}?_changelist_filters=q%3DDistrict%26inactive%3Dyes").content

    assert f'href="{LIST}?q=District&amp;inactive=yes">Cancel</a>' in page.decode()


def test_001_4_15_save_stores_and_returns_to_the_list_as_it_was_filtered(registrar: Client) -> None:
    integration = IntegrationFactory.create(**{f: mapping_of(f, {"1": "x"}) for f in MAPPINGS})

    url = f"{_change(integration)}?_changelist_filters=q%3DDistrict"
    response = registrar.post(url, _again(integration, purpose="Nightly"))

    assert response.headers["Location"] == f"{LIST}?q=District"
    assert Integration.objects.get().purpose == "Nightly"


def test_001_4_15_save_asks_before_it_clears_hidden_fields(registrar: Client) -> None:
    registrar.post(ADD, _filled(primary_enrollment_codes="P"))
    stored = _stored()
    changed = _filled("powerschool", token="", primary_enrollment_codes="P")

    asked = registrar.post(_change(stored), changed)
    kept = _stored()
    confirmed = registrar.post(_change(stored), {"_waiting": asked.context["waiting"]})

    assert asked.context["cleared"] == ["Token", "Primary Enrollment Codes"]
    assert "secret-of-consumer" not in asked.content.decode()
    assert (kept.system, kept.token, kept.primary_enrollment_codes) == ("aeries", "secret-token", "P")
    assert confirmed.status_code == 302
    now = _stored()
    assert (now.system, now.token, now.primary_enrollment_codes) == ("powerschool", "", "")
    assert now.consumer_secret == "secret-of-consumer"


def test_001_4_15_confirmation_of_another_person_is_not_accepted(registrar: Client, sign_in: Any) -> None:
    registrar.post(ADD, _filled())
    asked = registrar.post(_change(_stored()), _filled("powerschool", token=""))
    other = sign_in("Sync Service Full Access", name="other")

    other.post(_change(_stored()), {"_waiting": asked.context["waiting"]})

    assert _stored().system == "aeries"


def test_001_4_15_system_cannot_change_once_it_has_a_run(registrar: Client) -> None:
    integration = IntegrationFactory.create(**{f: mapping_of(f, {"1": "x"}) for f in MAPPINGS})
    SyncRunFactory.create(integration=integration)

    registrar.post(_change(integration), _again(integration, system="powerschool", purpose="Nightly"))

    integration.refresh_from_db()
    assert (integration.system, integration.purpose) == ("aeries", "Nightly")


@pytest.mark.parametrize(
    ("column", "first"),
    [(0, "A"), (1, "B"), (2, "B"), (3, "B")],
    ids=["5_name", "6_system", "7_url", "8_active"],
)
def test_001_5_to_8_column_sorts(registrar: Client, column: int, first: str) -> None:
    IntegrationFactory.create(name="A", system="powerschool", url="https://z.example.org", active=True)
    IntegrationFactory.create(name="B", system="aeries", url="https://a.example.org", active=False)

    ascending = _names(registrar, f"?inactive=yes&o={column}")
    descending = _names(registrar, f"?inactive=yes&o=-{column}")

    assert ascending[0] == first
    assert descending == ascending[::-1]


def test_001_7_url_is_shown_whole(registrar: Client) -> None:
    url = "https://a-rather-long-name.district.example.org/aeries/api/v5"
    IntegrationFactory.create(url=url)

    assert f'<span class="console-anywhere">{url}</span>' in registrar.get(LIST).content.decode()


def test_001_9_integration_that_has_run_is_made_inactive_instead_of_deleted(registrar: Client) -> None:
    fresh = IntegrationFactory.create(name="Fresh")
    used = SyncRunFactory.create().integration

    assert f'href="{LIST}{fresh.pk}/delete/">Delete Fresh</a>' in registrar.get(_change(fresh)).content.decode()
    page = registrar.get(_change(used)).content.decode()
    assert f"{LIST}{used.pk}/delete/" not in page
    assert "Delete selected" not in page
    assert "It cannot be deleted, because its runs must stay on record." in page
    assert registrar.post(f"{LIST}{used.pk}/delete/", {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in registrar.get(LIST).content


def test_001_9_pencil_leads_to_the_form_and_keeps_the_filter(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="North")

    page = registrar.get(f"{LIST}?q=north").content.decode()

    assert 'aria-label="Edit North"' in page
    assert f"{_change(integration)}?_changelist_filters=q%3Dnorth" in page


def test_001_10_refresh_starts_an_import_and_shows_its_page(registrar: Client) -> None:
    integration = IntegrationFactory.create()
    url = reverse("admin:integrations_integration_run", args=[integration.pk])

    response = registrar.post(url)

    run = SyncRun.objects.get()
    assert response.headers["Location"] == f"/admin/integrations/syncrun/{run.pk}/change/"
    assert (run.integration, run.status) == (integration, "queued")
    assert run.requested_by is not None


def test_001_10_second_click_shows_the_open_run(registrar: Client) -> None:
    integration = IntegrationFactory.create()
    url = reverse("admin:integrations_integration_run", args=[integration.pk])

    first = registrar.post(url)
    second = registrar.post(url)

    assert second.headers["Location"] == first.headers["Location"]
    assert SyncRun.objects.count() == 1


def test_001_10_refresh_needs_a_post_with_its_token(registrar: Client) -> None:
    integration = IntegrationFactory.create()
    url = reverse("admin:integrations_integration_run", args=[integration.pk])
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = registrar.cookies

    assert registrar.get(url).status_code == 405
    assert careful.post(url).status_code == 403
    assert not SyncRun.objects.exists()


def test_001_10_refresh_of_an_inactive_integration_says_why_not(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="Old", active=False)

    response = registrar.post(reverse("admin:integrations_integration_run", args=[integration.pk]), follow=True)

    assert "Old is inactive" in response.content.decode()
    assert not SyncRun.objects.exists()


def test_001_10_paused_schedule_stands_on_the_row_and_is_resumed_there(registrar: Client) -> None:
    integration = IntegrationFactory.create(name="North", schedule_paused="Run 7 was undone.")
    url = reverse("admin:integrations_integration_resume", args=[integration.pk])

    listed = registrar.get(LIST).content.decode()
    opened = registrar.get(_change(integration)).content.decode()
    told = registrar.post(url, follow=True).content.decode()

    assert "Scheduled imports are paused" in listed
    assert f'formaction="{url}" aria-label="Resume scheduled imports of North"' in listed
    assert f'action="{url}"' in opened
    assert "Scheduled imports of North run again." in told
    integration.refresh_from_db()
    assert integration.schedule_paused == ""


def test_001_10_who_may_not_run_sees_no_button(sign_in: Any) -> None:
    IntegrationFactory.create(name="North", schedule_paused="Run 7 was undone.")

    page = sign_in("Approve Held Runs").get(LIST).content.decode()

    assert "Scheduled imports are paused" in page
    assert "Resume scheduled imports" not in page
    assert "Run the import of North" not in page


def test_001_11_list_has_pages(registrar: Client) -> None:
    IntegrationFactory.create_batch(26)

    assert len(_names(registrar)) == 25
    assert len(_names(registrar, "?p=2")) == 1
