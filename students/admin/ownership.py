"""Which system may write which field of all students."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from config.admin_base import ModelAdmin, UnfoldAdminSelectWidget, display
from students.labels import field_label, ownable_fields
from students.models import FieldOwnership

CONSOLE = "console"


class FieldOwnershipForm(forms.ModelForm):  # type: ignore[type-arg]
    """One field by its label, its owner by name."""

    which = forms.ChoiceField(label="Field", widget=UnfoldAdminSelectWidget)
    owner = forms.ChoiceField(
        label="Owner",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Only the owner writes the field; every other integration's value is listed as withheld.",
    )

    class Meta:
        model = FieldOwnership
        fields = ("which", "owner", "when_blank")
        help_texts = {"when_blank": "What an import does when the system sends the field empty."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        which = self.fields["which"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [("", "Select a field"), *ownable_fields()]
        if self.instance.pk:
            self.initial["which"] = f"{self.instance.entity}.{self.instance.field}"

    def clean(self) -> dict[str, Any]:
        """Set the entity and the field the label stands for."""
        cleaned = super().clean() or self.cleaned_data
        entity, _, field = cleaned.get("which", "").partition(".")
        self.instance.entity, self.instance.field = entity, field
        others = FieldOwnership.objects.filter(entity=entity, field=field).exclude(pk=self.instance.pk)
        if field and others.exists():
            self.add_error("which", "This field has a row already. Change that one.")
        return cleaned


class FieldOwnershipAdmin(ModelAdmin):
    """A row per owned field; a field without a row may be written by any integration that reads it."""

    empty_hint = "Any integration may write any field. Add a row to give a field to one owner."
    form = FieldOwnershipForm
    list_display = ("field_name", "entity", "owner_name", "when_blank")
    list_filter = ("entity",)
    search_fields = ("field",)
    search_help_text = "Search by field"
    fields = ("which", "owner", "when_blank")

    def owners(self) -> list[tuple[str, str]]:
        """(key, name) of everything that can own a field."""
        return [("", "Any integration that reads the student"), (CONSOLE, "This console")]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with today's owners."""
        form = super().get_form(request, obj, change=change, **kwargs)
        choices = self.owners()
        if obj is not None and obj.owner and obj.owner not in dict(choices):
            choices.append((obj.owner, "An integration that was deleted"))
        form.base_fields["owner"].choices = choices
        return form

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list, owners by name."""
        self.names = dict(self.owners())
        return super().changelist_view(request, extra_context)

    @display(description="Field", ordering="field")
    def field_name(self, row: FieldOwnership) -> str:
        """The field's label."""
        return field_label(row.entity, row.field)

    @display(description="Owner")
    def owner_name(self, row: FieldOwnership) -> str:
        """The owner's name."""
        return self.names.get(row.owner, "An integration that was deleted")


admin.site.register(FieldOwnership, FieldOwnershipAdmin)
