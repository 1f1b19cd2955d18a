"""The form of an integration: its fields, shown and required as the table of systems says."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from config.admin_base import UnfoldAdminCheckboxSelectMultipleWidget, secret_widget
from integrations.admin.coverage import shared_schools_told, touched_told
from integrations.admin.options import OptionsField, option_label
from integrations.checking import connection_faults
from integrations.connectors.registry import SYSTEMS
from integrations.inbound.academic_year import AUTOMATIC, imported
from integrations.models import Integration
from integrations.models.integration import MAPPING_FIELDS, SECRET_FIELDS
from integrations.secrets import Unreadable
from integrations.system_fields import FIELDS, LABELS, PICTURES_ONLY, check, hidden_fields_with_values, hidden_label
from mapping.defaults import shipped_for
from mapping.models import DataEntityMapping
from students.families import FAMILY_FIELDS

HELP = {
    "name": "How you know it: lists and runs show it",
    "system": "Decides which fields the form has. It cannot change any more once the integration has run",
    "url": "The address of the system, beginning with https",
    "academic_year": "Which of the system's school years is which of yours. "
    "Without one the year is asked for by the calendar year it starts in",
    "building": "Which of the system's schools are which of yours. The import covers exactly these schools",
    "ethnicity": "Which of the system's codes for ethnicity is which of our values",
    "grade_level": "Which of the system's grades is which of ours",
    "race": "Which of the system's codes for race is which of our values",
    "state": "Which of the system's codes for states is which state",
    "gender": "Which of the system's codes for gender is which of our values",
    "language": "Which of the system's codes for languages is which language",
    "relationship": "Which of the system's codes for contacts is which relationship, such as Mother",
    "allergy": "Which of the system's codes for allergies is which of our values",
    "family_identifier": "Students for whom all ticked fields are filled in and equal become one family. "
    "With none ticked no families are made",
    "primary_enrollment_codes": "Codes of the enrollments that speak for the child, separated by commas, as the "
    "district defines them; (blank) stands for the blank code. With both lists empty every enrollment is primary",
    "alternate_enrollment_codes": "Codes of further enrollments at the same time, separated by commas. "
    "An enrollment whose code is in neither list is not imported",
    "pictures_only": "For an integration that brings student photos and nothing else: no student is added, changed or "
    "dropped. Only Name, Student Information System, Url, Token and Building are required then",
    "use_local_id_as_pin": "Sets each student's PIN (POS ID) to the local ID",
    "use_contact_record": "Reads the contact record too. Unticked, no contacts are imported",
    "drop_students_not_in_file": "Ends the enrollment of any student who is not in the file. "
    "Not recommended if multiple student imports are configured for the district",
    "environment": "A label, so that nobody takes one for the other: Sandbox is for trying, Production holds real "
    "students",
    "import_enabled": "Students may be read from this system. Unticked, every import is refused",
    "export_enabled": "No effect in this version, which sends nothing to a system. "
    "It is for Sync to SIS: registrations may then be sent to this system",
    "guard_percent": "An import waits for a person when more than this share of students would be dropped, "
    "blanked or added ...",
    "guard_count": "... and they are also more than this number",
    "year": "Which of your school years the students are enrolled in. By date is right nearly always; choose a year "
    "for a system that is still in the old one, or already in the new one",
    "rollover_percent": "The first import into a new academic year always waits for a person. It tells more reasons "
    "when more than this share of students would end, be blanked or added ...",
    "rollover_count": "... and they are also more than this number",
    "rollover_until": "The last day of the rollover's own limits. Blank: 30 days after the year's first day. Once the "
    "rollover is applied the ordinary limits hold again",
    "error_owner": "Who sees to the problems of this integration. A note for people: nobody is written to",
    "purpose": "What the integration is for, in a sentence. A note for people",
    "active": "An inactive integration is never run, and the list hides it",
}

ALWAYS = ("name", "system", "url", "guard_percent", "guard_count", "environment")
"""The fields that no choice makes optional."""
ROLLOVER_LIMITS = ("rollover_percent", "rollover_count")
"""The fields for which a blank means what they begin with."""


class FamilyWidget(UnfoldAdminCheckboxSelectMultipleWidget):  # type: ignore[misc]
    """Ticks that know which systems offer them."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """One tick; the form's script hides it for other systems."""
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        offering = [system for system in SYSTEMS if str(value) in FIELDS[system].family_options]
        option["attrs"]["data-systems"] = " ".join(offering)
        return option


class IntegrationForm(forms.ModelForm):  # type: ignore[type-arg]
    """An integration. A hidden field keeps its value until the person has confirmed clearing it.

    to_clear: the labels of the fields that saving would clear.
    """

    family_identifier = forms.MultipleChoiceField(
        label=LABELS["family_identifier"],
        choices=[(key, label) for key, (label, _) in FAMILY_FIELDS.items()],
        required=False,
        widget=FamilyWidget,
    )
    options = OptionsField(label=LABELS["options"], required=False)
    clearing_confirmed = False

    class Meta:
        model = Integration
        fields = [*LABELS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.to_clear: list[str] = []
        if "system" in self.fields and not self.instance.pk:
            choices = [("", "Select a system"), *((key, FIELDS[key].title) for key in SYSTEMS)]
            self.fields["system"].widget.choices = choices
        touches = touched_told(self.instance)
        for name, field in self.fields.items():
            field.label = LABELS[name]
            field.help_text = HELP.get(name, field.help_text)
            field.help_text += touches.get(name, "")
            if name == "drop_students_not_in_file":
                field.help_text += shared_schools_told(self.instance)
            if name in MAPPING_FIELDS:
                field.empty_label = "Select a mapping"  # type: ignore[attr-defined]
                inner: Any = getattr(field.widget, "widget", field.widget)
                inner.attrs["data-mapping"] = name
            if name in (*MAPPING_FIELDS, "error_owner", "year"):
                # What others use is not deleted out of this form.
                field.widget.can_delete_related = False
            if name in SECRET_FIELDS:
                self._keep_secret(name)
            if name == "url":
                field.help_text = self._url_help()
            # The table of systems says what is required; the browser's own check would not know.
            field.required = name in ALWAYS
            field.error_messages["required"] = f"{LABELS[name]} is required."
        year: Any = self.fields.get("year")
        if year is not None:
            year.empty_label = AUTOMATIC
            year.help_text += year_told(self.instance)
        owner: Any = self.fields.get("error_owner")
        if owner is not None:
            owner.empty_label = "Nobody"
        options: Any = self.fields["options"].widget
        options.fixed = "system" not in self.fields
        options.system = str((not options.fixed and self.data.get("system")) or self.instance.system)

    def _keep_secret(self, name: str) -> None:
        stored = bool(self.instance.pk and getattr(self.instance, name))
        field = self.fields[name]
        if isinstance(getattr(self.instance, name), Unreadable):
            field.widget = secret_widget(placeholder="Cannot be read. Enter it anew", **{"data-stored": "yes"})
            field.help_text = "The one stored cannot be read with the console's keys. Enter it anew"
            return
        placeholder = "Stored. Leave blank to keep it" if stored else "Not stored yet"
        field.widget = secret_widget(placeholder=placeholder, **({"data-stored": "yes"} if stored else {}))
        field.help_text = "One is stored; it is never shown. Leave blank to keep it" if stored else ""

    def _url_help(self) -> str:
        """What to enter, for the one system or for those that say more than all."""
        systems = [self.instance.system] if self.instance.pk else list(SYSTEMS)
        told = [f"{FIELDS[one].title}: {FIELDS[one].url_help}" for one in systems if FIELDS[one].url_help]
        return ". ".join([HELP["url"], *told])

    def clean(self) -> dict[str, Any]:
        """Apply the table of systems: what is required, what is offered, what a hidden field still holds."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in SECRET_FIELDS:
            cleaned[name] = (cleaned.get(name) or "").strip() or getattr(self.instance, name)
        for name in ROLLOVER_LIMITS:
            if cleaned.get(name) is None and name not in self.errors:
                cleaned[name] = Integration._meta.get_field(name).get_default()  # type: ignore[union-attr]
        system = cleaned.get("system") or self.instance.system
        if not system:
            return cleaned
        values = {name: cleaned.get(name, getattr(self.instance, name)) for name in LABELS}
        hidden = hidden_fields_with_values(values, system=system)
        for name in hidden:
            _blank(values, name)
        for name, message in check(values, system=system, existing=False).items():
            if name not in self.errors:
                self.add_error(name if name in self.fields else None, message)
        values |= {"url": cleaned.get("url", ""), "options": cleaned.get("options")}
        for name, message in connection_faults(values, system=system).items():
            if name not in self.errors:
                self.add_error(name, message)
        if self.errors:
            return cleaned
        self.to_clear = [hidden_label(name) for name in hidden] + self._lost_options(cleaned, system)
        if self.to_clear and not self.clearing_confirmed:
            self.add_error(None, "Saving would clear what another choice has hidden.")
        for name in hidden:
            field = name.partition(".")[0]
            cleaned[field] = values[field]
            if self.clearing_confirmed:
                setattr(self.instance, field, values[field])
        return cleaned

    def _lost_options(self, cleaned: dict[str, Any], system: str) -> list[str]:
        """The stored options, by label, that another system leaves without a place."""
        before = self.instance.system
        if not self.instance.pk or before not in SYSTEMS or system == before:
            return []
        lost = [key for key in self.initial.get("options") or {} if key not in cleaned["options"]]
        return [f"{LABELS['options']}: {option_label(before, key)}" for key in lost]


def year_told(integration: Integration) -> str:
    """Which year is imported now, and whether a later one has begun, to add to a help text."""
    now = imported(integration, today=timezone.localdate())
    return f". Now: {now.words}" + (f". {now.warning}" if now.warning else "")


def form_rules(integration: Integration | None) -> dict[str, Any]:
    """What the form's script has to know: per system what it requires, how it calls a field, what fits it.

    ``{"systems": {system: {"required", "pictures", "labels", "mappings": {field: primary key}}}, "fields",
    "system": of a stored integration, "existing"}``.
    """
    active = dict(DataEntityMapping.objects.filter(active=True).values_list("name", "pk"))
    systems: dict[str, Any] = {}
    for system in SYSTEMS:
        rules = FIELDS[system]
        fitting = {entity: active[name] for entity, name in shipped_for(system).items() if name in active}
        systems[system] = {
            "required": sorted(rules.required),
            "pictures": sorted(PICTURES_ONLY) if "pictures_only" in rules.shown else None,
            "labels": {field: rules.label(field) for field in rules.shown},
            "mappings": fitting,
        }
    stored = integration.system if integration else ""
    required_anywhere = sorted({field for one in systems.values() for field in one["required"]})
    return {"systems": systems, "fields": required_anywhere, "system": stored, "existing": integration is not None}


def _blank(values: dict[str, Any], name: str) -> None:
    """Empty a field, or take one option out of it."""
    field, _, option = name.partition(".")
    if option:
        values[field] = [one for one in values[field] if one != option]
        return
    model_field = Integration._meta.get_field(field)
    values[field] = model_field.get_default() if not model_field.is_relation else None  # type: ignore[union-attr]
