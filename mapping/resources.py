"""Data entity mapping values as tables: what a file may hold, and the sentence for a row that may not."""

from __future__ import annotations

import re
from typing import Any

from import_export import fields, resources
from import_export.widgets import Widget

from mapping.choices import our_values, value_named
from mapping.models import DataEntityMapping, DataEntityMappingValue

EXTERNAL, OURS, MEANING = "External Value", "Our Value", "Meaning"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
LONGEST = 120


class Refused(Exception):
    """Why a file or a row of it cannot be imported, as one sentence for a person."""


def escaped(text: str) -> str:
    """A cell that a spreadsheet takes as text, never as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def unescaped(text: str) -> str:
    """What ``escaped`` was given; any other text as it is."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


class Cell(Widget):  # type: ignore[misc]
    """A cell as text: numbers as a spreadsheet shows them, formula signs escaped on the way out."""

    def clean(self, value: Any, row: Any = None, **_kwargs: Any) -> str:
        """The text of a cell."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None else unescaped(str(value))

    def render(self, value: Any, obj: Any = None, **_kwargs: Any) -> str:
        """The cell of a text."""
        return "" if value is None else escaped(str(value))


class MappingValueResource(resources.ModelResource):  # type: ignore[misc]
    """The values of one mapping. A row adds a code or changes the value of one; no row takes one away.

    Without a mapping it only exports.
    """

    external_value = fields.Field("external_value", EXTERNAL, widget=Cell())
    value = fields.Field("value", OURS, widget=Cell())
    meaning = fields.Field("meaning", MEANING, readonly=True, widget=Cell())

    class Meta:
        model = DataEntityMappingValue
        fields = ("external_value", "value", "meaning")
        export_order = ("external_value", "value", "meaning")
        import_order = ("external_value", "value", "meaning")
        import_id_fields = ("external_value",)
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True
        use_transactions = True
        name = "Mapping values"

    def __init__(self, mapping: DataEntityMapping | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mapping = mapping
        self._values: dict[str, dict[str, str]] = {}
        self._lines: dict[str, int] = {}

    def values_of(self, entity: str) -> dict[str, str]:
        """Our values for an entity, read once."""
        if entity not in self._values:
            self._values[entity] = our_values(entity)
        return self._values[entity]

    def dehydrate_meaning(self, row: DataEntityMappingValue) -> str:
        """The label of the value."""
        return self.values_of(row.mapping.entity).get(row.value, "")

    def get_queryset(self) -> Any:
        """The values of the mapping, among which a code is looked up."""
        queryset = super().get_queryset()
        return queryset if self.mapping is None else queryset.filter(mapping=self.mapping)

    def before_import(self, dataset: Any, **_kwargs: Any) -> None:
        """Refuse a table without the two columns that matter; their case and blanks do not."""
        known = {name.casefold(): name for name in (EXTERNAL, OURS, MEANING)}
        headers = [known.get(str(h or "").strip().casefold(), str(h or "")) for h in dataset.headers or []]
        missing = [f"“{name}”" for name in (EXTERNAL, OURS) if name not in headers]
        if missing:
            dataset.wipe()
            raise Refused(
                f"The file has no column {' and no column '.join(missing)}. Its first line must hold the "
                f"column names “{EXTERNAL}” and “{OURS}”."
            )
        dataset.headers = headers
        self._lines = {}

    def before_import_row(self, row: Any, row_number: int = 0, **_kwargs: Any) -> None:
        """Turn the cells into a code and one of our values. Raises Refused."""
        assert self.mapping is not None
        entity = self.mapping.entity
        # A blank at either end is cut from what a system sends before it is looked up, so also here.
        code, ours = (Cell().clean(row[name]).strip(" ") for name in (EXTERNAL, OURS))
        if fault := self._fault(code, ours):
            raise Refused(fault)
        row[EXTERNAL] = escaped(code)
        row[OURS] = escaped(value_named(entity, ours, self.values_of(entity)) or "")
        self._lines[code] = row_number + 1

    def _fault(self, code: str, ours: str) -> str:
        assert self.mapping is not None
        entity = self.mapping.entity
        shown = f"“{CONTROL.sub('·', code)[:40]}”" if code else "the blank code"
        if CONTROL.search(code):
            return f"The code {shown} holds a tab or a line break, which no system sends. Take it out."
        if len(code) > LONGEST:
            return f"The code {shown}… is longer than {LONGEST} characters. Shorten it."
        if code in self._lines:
            return f"The code {shown} stands in line {self._lines[code]} already. Keep one of the two lines."
        if not ours:
            return f"For {shown} the column “{OURS}” is empty. Fill it in, or take the line out."
        if value_named(entity, ours, self.values_of(entity)) is None:
            label = self.mapping.get_entity_display()
            return (
                f"“{ours[:40]}”, for the code {shown}, is not one of our values for {label}. "
                "Use one that the page of the mapping offers."
            )
        return ""

    def after_init_instance(self, instance: DataEntityMappingValue, new: bool, row: Any, **_kwargs: Any) -> None:
        """Keep the label of the value as it was, for the preview."""
        self._name_meaning(instance)

    def import_instance(self, instance: DataEntityMappingValue, row: Any, **kwargs: Any) -> None:
        """Fill the row in; its mapping first, for the validation to see it."""
        assert self.mapping is not None
        instance.mapping = self.mapping
        super().import_instance(instance, row, **kwargs)
        self._name_meaning(instance)

    def _name_meaning(self, instance: DataEntityMappingValue) -> None:
        assert self.mapping is not None
        instance.meaning = self.values_of(self.mapping.entity).get(instance.value, "")  # type: ignore[attr-defined]
