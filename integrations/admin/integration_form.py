"""The form of an integration: its fields, shown and required as the table of systems says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms

from config.admin_base import UnfoldAdminCheckboxSelectMultipleWidget, secret_widget
from integrations.connectors.registry import SYSTEMS, connector_class
from integrations.errors import ConfigurationError
from integrations.models import Integration
from integrations.models.integration import SECRET_FIELDS
from integrations.system_fields import FIELDS, LABELS, check, hidden_fields_with_values
from students.families import FAMILY_FIELDS

MAPPING_HELP = "Choose the data entity mapping that translates this system's codes"
HELP = {
    "url": "The address of the system's API",
    "building": "Which of the system's schools are which of ours. The import covers exactly these schools",
    "family_identifier": "Students for whom all chosen fields are equal become one family",
    "primary_enrollment_codes": "Separated by commas, as the district defines them",
    "alternate_enrollment_codes": "Separated by commas, as the district defines them",
    "pictures_only": "This integration only brings photos; "
    "Name, Student Information System, Url, Token and Building are then enough",
    "use_local_id_as_pin": "Sets the POS ID to the local ID",
    "use_contact_record": "Allows the use of the system's contact record",
    "drop_students_not_in_file": "Ends the enrollment of any student who is not in the file. "
    "Not recommended if multiple student imports are configured for the district",
    "environment": "Sandbox is for trying; Production holds real students",
    "import_enabled": "The console may read students from this system",
    "export_enabled": "The console may send registrations to this system",
    "guard_percent": "An import waits for a person when more than this share of students would be dropped, "
    "blanked or added ...",
    "guard_count": "... and they are also more than this number",
    "error_owner": "Who sees to the problems of this integration",
    "purpose": "What the integration is for, in a sentence",
    "options": "Rarely needed. Settings that only this kind of system knows",
    "active": "An inactive integration is never run",
}

ALWAYS = ("name", "system", "url", "guard_percent", "guard_count", "environment")
"""The fields that no choice makes optional."""


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

    to_clear: the fields that saving would clear, as ``hidden_fields_with_values`` names them.
    """

    family_identifier = forms.MultipleChoiceField(
        label=LABELS["family_identifier"],
        choices=[(key, label) for key, (label, _) in FAMILY_FIELDS.items()],
        required=False,
        widget=FamilyWidget,
    )
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
        for name, field in self.fields.items():
            field.label = LABELS[name]
            field.help_text = HELP.get(name, field.help_text)
            if name in SECRET_FIELDS:
                self._keep_secret(name)
            # The table of systems says what is required; the browser's own check would not know.
            field.required = name in ALWAYS
            field.error_messages["required"] = f"{LABELS[name]} is required."

    def _keep_secret(self, name: str) -> None:
        stored = bool(self.instance.pk and getattr(self.instance, name))
        field = self.fields[name]
        field.widget = secret_widget(placeholder="Stored. Leave blank to keep it" if stored else "Not stored yet")
        field.help_text = "One is stored; it is never shown. Leave blank to keep it" if stored else ""

    def clean_url(self) -> str:
        """An address with a scheme and a host."""
        url: str = self.cleaned_data["url"].strip()
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("https", "http") and bool(parts.hostname)
        except ValueError:
            good = False
        if not good:
            raise forms.ValidationError("Url must be a whole address, such as https://sis.example.org/api.")
        return url

    def clean(self) -> dict[str, Any]:
        """Apply the table of systems: what is required, what is offered, what a hidden field still holds."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in SECRET_FIELDS:
            cleaned[name] = (cleaned.get(name) or "").strip() or getattr(self.instance, name)
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
        self._check_options(cleaned, system)
        if self.errors:
            return cleaned
        self.to_clear = hidden
        if hidden and not self.clearing_confirmed:
            self.add_error(None, "Saving would clear what another choice has hidden.")
        for name in hidden:
            field = name.partition(".")[0]
            cleaned[field] = values[field]
            if self.clearing_confirmed:
                setattr(self.instance, field, values[field])
        return cleaned

    def _check_options(self, cleaned: dict[str, Any], system: str) -> None:
        if "options" not in self.fields or "options" in self.errors:
            return
        cleaned["options"] = cleaned.get("options") or {}
        if not isinstance(cleaned["options"], dict):
            self.add_error("options", 'Options must look like {"page_size": 200}.')
            return
        try:
            connector_class(system).check_options(cleaned["options"])
        except ConfigurationError as error:
            self.add_error("options", error.message)


def _blank(values: dict[str, Any], name: str) -> None:
    """Empty a field, or take one option out of it."""
    field, _, option = name.partition(".")
    if option:
        values[field] = [one for one in values[field] if one != option]
        return
    model_field = Integration._meta.get_field(field)
    values[field] = model_field.get_default() if not model_field.is_relation else None  # type: ignore[union-attr]
