"""Form fields the screens of students need."""

from __future__ import annotations

from typing import Any

from django import forms

from config.admin_base import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget
from students.codes import RACES
from students.labels import lockable_fields
from students.models import FieldLock, Student


class RacesField(forms.MultipleChoiceField):
    """Races as ticks. Those already stated keep their order; new ones follow in the order of the list."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "In the order the family stated them; new ticks are added at the end.")
        super().__init__(
            choices=list(RACES.items()),
            required=False,
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            **kwargs,
        )


class StudentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A student's own fields."""

    races = RacesField()

    class Meta:
        model = Student
        fields = "__all__"  # noqa: DJ007 - the admin names the fields

    def clean_races(self) -> list[str]:
        """The ticked races, in the order that stood before."""
        ticked = self.cleaned_data["races"]
        before = [code for code in self.instance.races if code in ticked]
        return before + [code for code in ticked if code not in before]

    def has_changed(self) -> bool:
        """Whether anything was edited."""
        return bool(self.changed_data)


class LockForm(forms.ModelForm):  # type: ignore[type-arg]
    """A lock: the field by its label, and why."""

    field = forms.ChoiceField(
        label="Field",
        choices=lambda: [("", "Select a field"), *lockable_fields()],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = FieldLock
        fields = ("field", "reason")
