"""Form fields the screens of students need."""

from __future__ import annotations

from typing import Any

from django import forms

from config.admin_base import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)
from students.codes import RACES
from students.labels import lockable_fields, phone_label
from students.models import Contact, FieldLock, Student


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


class PhoneField(forms.CharField):
    """A phone number, shown as people write it. One that is sent back as it was shown stays as it is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=40, widget=UnfoldAdminTextInputWidget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The number as it is shown."""
        return phone_label(value) if isinstance(value, str) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether another number was typed."""
        return bool(super().has_changed(phone_label(initial or ""), phone_label(data or "")))


class _KeepsPhones(forms.ModelForm):  # type: ignore[type-arg]
    """Leaves a stored phone number alone unless another one was typed."""

    def clean(self) -> dict[str, Any]:
        """The typed values, with the stored number where the same was sent back."""
        cleaned = super().clean() or self.cleaned_data
        for name, field in self.fields.items():
            if isinstance(field, PhoneField) and name not in self.changed_data and name in cleaned:
                cleaned[name] = self.initial.get(name) or ""
        return cleaned


class ContactForm(_KeepsPhones):
    """A contact's own fields."""

    home_phone = PhoneField(label="Home phone")
    mobile_phone = PhoneField(label="Mobile phone")
    work_phone = PhoneField(label="Work phone")

    class Meta:
        model = Contact
        fields = "__all__"  # noqa: DJ007 - the admin names the fields


class StudentForm(_KeepsPhones):
    """A student's own fields."""

    races = RacesField()
    home_phone = PhoneField(label="Home phone")
    mobile_phone = PhoneField(label="Mobile phone")

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
