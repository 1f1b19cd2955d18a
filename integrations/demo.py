"""The demo: invented districts in sandbox servers, set up so that pressing refresh is all that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from integrations.inbound.academic_year import year_of
from integrations.models import Integration, SchoolConnection
from integrations.sandbox.district import District
from integrations.sandbox.district import School as SourceSchool
from integrations.system_fields import FIELDS
from mapping.defaults import ship, shipped_for
from mapping.models import DataEntityMapping, DataEntityMappingValue
from students.models import School

REGISTRAR_GROUPS = (
    "Sync Service Full Access",
    "Approve Held Runs",
    "View Registrations",
    "Edit Registrations",
)
GRADES = {-2: "PR", -1: "TK", 0: "K", **{number: str(number) for number in range(1, 13)}}
SETTINGS: dict[str, dict[str, Any]] = {
    "aeries": {
        "family_identifier": ["family_key"],
        "primary_enrollment_codes": "(blank)",
        "alternate_enrollment_codes": "S, T, C, H, I",
        "use_contact_record": True,
    },
    "powerschool": {"family_identifier": ["head_of_household_last_name", "household_home_address"]},
    "illuminate": {"family_identifier": ["head_of_household_last_name", "household_home_address"]},
    "oneroster": {
        "family_identifier": ["head_of_household_last_name", "household_home_address"],
        "options": {"version": "1.2", "token_url": "{origin}/oauth/token?appName=console"},
    },
    "schooltool": {"family_identifier": ["head_of_household_last_name", "household_home_address"]},
    "powerschool_query": {"family_identifier": ["head_of_household_last_name", "household_home_address"]},
}
"""Vendor → what its demo integration sets besides what all have."""


def seed(
    *,
    admin_password: str,
    registrar_password: str,
    servers: Mapping[str, tuple[str, Mapping[str, str]]],
    students: int = 500,
    district_seed: int = 1,
) -> None:
    """Fill an empty database: two accounts; for each server its schools, Building mapping and integration.

    servers: vendor → (Url, credentials), in the order in which they were started. students, district_seed:
    what `manage.py sandbox` was given, so that the schools here are those of the servers. Nothing is
    imported: that is the registrar's first act. Vendors the console cannot read are left out.
    """
    _accounts(admin_password, registrar_password)
    ship(DataEntityMapping, DataEntityMappingValue)
    year_of(timezone.localdate())
    for position, (vendor, (url, credentials)) in enumerate(servers.items()):
        if vendor in SETTINGS:
            district = District.generate(students=students, seed=district_seed + position)
            _integration(vendor, url, credentials, district.real_schools)


def _accounts(admin_password: str, registrar_password: str) -> None:
    users = get_user_model().objects
    users.create_superuser("admin", "", admin_password)
    registrar = users.create_user("registrar", "", registrar_password, is_staff=True)
    registrar.groups.set(Group.objects.filter(name__in=REGISTRAR_GROUPS))


def _settings(vendor: str, url: str) -> dict[str, Any]:
    """What the demo integration of a vendor sets, with the server's own address in its options."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    options = {key: value.format(origin=origin) for key, value in SETTINGS[vendor].get("options", {}).items()}
    return {**SETTINGS[vendor], **({"options": options} if options else {})}


def _integration(vendor: str, url: str, credentials: Mapping[str, str], source_schools: list[SourceSchool]) -> None:
    """The demo integration of one vendor, with schools of its own: codes begin with the vendor's initials."""
    title = FIELDS[vendor].title
    initials = "".join(word[0] for word in title.split())
    building = DataEntityMapping.objects.create(name=f"Demo {title} Building", entity="building")
    chosen = DataEntityMapping.objects.filter(name__in=shipped_for(vendor).values())
    integration = Integration.objects.create(
        name=f"Demo {title} district",
        system=vendor,
        url=url,
        building=building,
        drop_students_not_in_file=True,
        environment=Integration.Environment.SANDBOX,
        purpose="For trying the console: an invented district, no real child",
        **credentials,
        **{mapping.entity: mapping for mapping in chosen},
        **_settings(vendor, url),
    )
    for source in source_schools:
        school = School.objects.create(
            code=f"{initials}{source.number}",
            name=source.name,
            low_grade=GRADES[source.low_grade],
            high_grade=GRADES[source.high_grade],
        )
        DataEntityMappingValue.objects.create(mapping=building, external_value=str(source.number), value=school.code)
        SchoolConnection.objects.create(school=school, integration=integration)
