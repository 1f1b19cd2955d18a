"""Allergies on the student's page."""

from __future__ import annotations

from typing import Any

from django import forms

from config.admin_base import TabularInline
from students.models import StudentAllergy

LONGEST_NOTE = 600


class AllergyForm(forms.ModelForm):  # type: ignore[type-arg]
    """One allergy: ours, a note, or both."""

    class Meta:
        model = StudentAllergy
        fields = ("allergy", "note")
        help_texts = {"note": "What the SIS says, in its own words."}

    def clean(self) -> dict[str, Any]:
        """Refuse a row that says nothing, and a note that is too long."""
        cleaned = super().clean() or self.cleaned_data
        note = cleaned.get("note", "")
        if not cleaned.get("allergy") and not note:
            self.add_error("note", "Choose an allergy or write a note.")
        if "note" in self.changed_data and len(note) > LONGEST_NOTE:
            self.add_error("note", f"At most {LONGEST_NOTE} characters. Write the rest as another row.")
        return cleaned


class StudentAllergyInline(TabularInline):
    """The allergies of one student."""

    model = StudentAllergy
    form = AllergyForm
    fields = ("allergy", "note")
    verbose_name = "allergy"
    verbose_name_plural = "Allergies"
    hide_title = True
