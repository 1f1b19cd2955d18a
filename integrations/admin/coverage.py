"""What an integration covers: its schools and who shares them, its codes, and who would go for being absent."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.admin.responses import page
from integrations.code_lists import coverage, fetch_codes
from integrations.errors import IntegrationError
from integrations.models import Integration, SchoolConnection
from integrations.touched import absent_students, latest_complete_import, touched
from mapping.models import DataEntityMappingValue
from students.models import School, Student
from students.scope import allowed_schools, visible_students


def school_lists(integration: Integration) -> dict[str, Any]:
    """The schools the import covers and those whose registrations go out here, and how the two differ."""
    codes = DataEntityMappingValue.objects.filter(mapping=integration.building_id).values("value")
    pulled = set(School.objects.filter(code__in=codes))
    links = SchoolConnection.objects.filter(integration=integration).select_related("school")
    pushed = {link.school for link in links}
    unknown = (
        DataEntityMappingValue.objects.filter(mapping=integration.building_id)
        .exclude(value__in=School.objects.values("code"))
        .values_list("value", flat=True)
    )

    def named(schools: set[School]) -> list[School]:
        return sorted(schools, key=lambda school: school.name)

    return {
        "both": named(pulled & pushed),
        "pulled_only": named(pulled - pushed),
        "pushed_only": named(pushed - pulled),
        "unknown": sorted(unknown),
        "mapping": integration.building_id,
    }


def shared_schools(integration: Integration) -> dict[str, list[str]]:
    """Names of other active integrations that import students of the same schools → the names of those schools."""
    if not integration.active or integration.building_id is None:
        return {}
    codes = DataEntityMappingValue.objects.filter(mapping=integration.building_id).values_list("value", flat=True)
    names = dict(School.objects.filter(code__in=list(codes)).values_list("code", "name"))
    others = Integration.objects.filter(active=True, import_enabled=True, pictures_only=False).exclude(
        pk=integration.pk
    )
    found = {}
    for other in others.exclude(building=None):
        theirs = DataEntityMappingValue.objects.filter(mapping=other.building_id, value__in=list(names))
        if shared := sorted({names[code] for code in theirs.values_list("value", flat=True)}):
            found[other.name] = shared
    return found


def shared_schools_told(integration: Integration) -> str:
    """A sentence for each other integration of the same schools, with a blank before; "" where there is none."""
    told = (
        f"{name} imports students of {_several(schools)} too" for name, schools in shared_schools(integration).items()
    )
    return "".join(f". {sentence}" for sentence in told)


def _several(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more schools" if len(names) > 3 else shown


def code_coverage(integration: Integration, *, user: Any, asked: bool = False) -> dict[str, Any]:
    """What the table of codes shows; asked: with the system's own lists, read now."""
    lists, fault = {}, ""
    if asked:
        entities = [one.entity for one in coverage(integration) if one.mapping is not None]
        try:
            lists = fetch_codes(Integration.objects.get(pk=integration.pk), entities)
        except IntegrationError as error:
            fault = error.message
    return {
        "coverage": coverage(integration, lists=lists),
        "asked": asked and not fault,
        "fault": fault,
        "integration": integration,
        "sees_all": user.has_perm("integrations.view_unmappedcode") and allowed_schools(user) is None,
    }


def coverage_page(request: HttpRequest, site: AdminSite, integration: Integration) -> HttpResponse:
    """The table of codes beside the system's own lists; the table alone for the integration's page."""
    alone = bool(request.headers.get("HX-Request"))
    template = "console/code_coverage.html" if alone else "console/code_coverage_page.html"
    title = f"Codes of {integration.name}"
    return page(request, site, template, title=title, **code_coverage(integration, user=request.user, asked=True))


def absent_page(request: HttpRequest, site: AdminSite, integration: Integration) -> HttpResponse:
    """Per school, who would be dropped by what the latest complete import found; own schools only."""
    scope = allowed_schools(request.user)
    seen = visible_students(Student.objects.all(), request.user)
    mine = set(seen.values_list("pk", flat=True)) if scope is not None else None
    rows = [
        {
            "school": one.school,
            "enrolled": one.enrolled,
            "kept": one.kept,
            "students": [student for student in one.students if mine is None or student.pk in mine],
        }
        for one in absent_students(integration)
        if scope is None or one.school.code in scope
    ]
    return page(
        request,
        site,
        "console/absent_students.html",
        title=f"Students not in the file of {integration.name}",
        integration=integration,
        rows=rows,
        run=latest_complete_import(integration),
    )


def touched_told(integration: Integration) -> dict[str, str | SafeString]:
    """Field → what its help says of the students it would touch, with a blank before; with the way to who would go."""
    found: dict[str, str | SafeString] = {name: f". {sentence}" for name, sentence in touched(integration).items()}
    if "drop_students_not_in_file" in found:
        url = reverse("admin:integrations_integration_absent", args=[integration.pk])
        told = '{}. <a class="console-link" href="{}">Who would go, by school</a>'
        found["drop_students_not_in_file"] = format_html(told, found["drop_students_not_in_file"], url)
    return found
