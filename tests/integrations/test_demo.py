"""The demo: a district of each system, set up so that a registrar only presses refresh."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group

from integrations.checking import check_integration
from integrations.connectors.registry import connector_class
from integrations.demo import REGISTRAR_GROUPS, seed
from integrations.inbound.rules import build_rules, connection_of
from integrations.models import Integration, SyncRun
from integrations.models.integration import MAPPING_FIELDS
from integrations.sandbox.district import District
from integrations.sandbox.registry import SERVERS, start
from integrations.system_fields import FIELDS, check, hidden_fields_with_values
from mapping.models import DataEntityMapping
from students.models import School, Student

STUDENTS = 120


@pytest.fixture
def seeded(db: None, settings: Any) -> Any:
    """The demo, with its servers running."""
    servers = {vendor: start(vendor, students=STUDENTS, seed=1 + position) for position, vendor in enumerate(SERVERS)}
    settings.SIS_ALLOWED_HOSTS = [server.url.split("/")[2] for server in servers.values()]
    for name in REGISTRAR_GROUPS:
        Group.objects.get_or_create(name=name)
    seed(
        admin_password="admin-pass",
        registrar_password="registrar-pass",
        servers={vendor: (server.url, server.credentials) for vendor, server in servers.items()},
        students=STUDENTS,
    )
    yield servers
    for server in servers.values():
        server.stop()


def test_two_people_can_sign_in_when_seeded(seeded: Any) -> None:
    users = get_user_model().objects

    assert authenticate(username="admin", password="admin-pass") == users.get(is_superuser=True)
    registrar = users.get(username="registrar")
    assert authenticate(username="registrar", password="registrar-pass") == registrar
    assert registrar.is_staff
    assert not registrar.is_superuser
    assert set(registrar.groups.values_list("name", flat=True)) == set(REGISTRAR_GROUPS)


def test_every_integration_satisfies_its_form_when_seeded(seeded: Any) -> None:
    names = list(Integration.objects.values_list("name", flat=True))

    assert names == sorted(f"Demo {FIELDS[vendor].title} district" for vendor in SERVERS)
    for one in Integration.objects.all():
        values = {field.name: getattr(one, field.name) for field in Integration._meta.concrete_fields}
        assert check(values, system=one.system, existing=False) == {}
        assert hidden_fields_with_values(values, system=one.system) == []
        mapped = {field: getattr(one, field) for field in MAPPING_FIELDS if getattr(one, field)}
        assert {field: mapping.entity for field, mapping in mapped.items()} == {field: field for field in mapped}


def test_building_mapping_lists_the_schools_of_the_server(seeded: Any) -> None:
    for one in Integration.objects.all():
        today = dt.date(2026, 11, 2)
        connector = connector_class(one.system)(connection_of(one, today=today))
        try:
            listed = {school.code: school.name for school in connector.schools() if school.building}
        finally:
            connector.close()
        buildings = build_rules(one, today=today).buildings
        assert buildings.keys() <= listed.keys()
        assert {ours: listed[code] for code, ours in buildings.items()} == dict(
            School.objects.filter(sync_connection__integration=one).values_list("code", "name")
        )
    assert School.objects.count() == 2 * len(SERVERS)


def test_connections_work_and_nothing_was_imported_when_seeded(seeded: Any) -> None:
    for one in Integration.objects.all():
        assert [line for line in check_integration(one) if not line.ok] == []
    assert not SyncRun.objects.exists()
    assert not Student.objects.exists()


def test_no_child_is_in_two_districts_when_their_seeds_differ() -> None:
    first, second = (District.generate(students=500, seed=number) for number in (1, 2))

    def people(district: District) -> set[Any]:
        children = district.children.values()
        return {child.state_id for child in children if child.state_id} | {
            (child.first_name, child.last_name, child.birth_date) for child in children
        }

    assert people(first).isdisjoint(people(second))
    assert first.children.keys().isdisjoint(second.children.keys())
    names = [{school.name for school in district.real_schools} for district in (first, second)]
    assert names[0].isdisjoint(names[1])


@pytest.mark.django_db
def test_systems_the_console_cannot_read_are_left_out() -> None:
    seed(admin_password="a", registrar_password="b", servers={"saturn": ("https://x.example.org", {})})

    assert not Integration.objects.exists()
    assert DataEntityMapping.objects.filter(name="Aeries Gender").exists()
