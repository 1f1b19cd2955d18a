"""The options of an integration on its form: one labelled input each, out of what the connector says it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from integrations.connectors.options import COMMON, Option
from integrations.connectors.registry import SYSTEMS, known_options
from integrations.system_fields import FIELDS


class OptionsWidget(forms.Widget):
    """The inputs of every system; the form's script shows those of the chosen one.

    system: the one whose options the value holds. fixed: whether another cannot be chosen.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.system = ""
        self.fixed = False

    def id_for_label(self, _id: str) -> str:
        """None: every input has a label of its own."""
        return ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The inputs as HTML."""
        stored = value if isinstance(value, dict) else {}
        return render_to_string("console/options.html", {"rows": [*self._rows(name, stored)]})

    def value_from_datadict(self, data: Mapping[str, Any], _files: Any, name: str) -> dict[str, Any]:
        """The options that were filled in for the chosen system, typed; what has no such type stays a text."""
        system = str(data.get("system") or self.system)
        if system not in SYSTEMS:
            return {}
        found = {}
        for key, option in known_options(system).items():
            value = _typed(option, str(data.get(_input_name(name, system, key, option)) or "").strip())
            if value is not None:
                found[key] = value
        return found

    def value_omitted_from_data(self, *_args: Any) -> bool:
        """Never: no input filled in means no option."""
        return False

    def _rows(self, name: str, stored: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What the template shows of each option, once each."""
        offered: dict[str, dict[str, Any]] = {}
        for system in [self.system] if self.fixed else SYSTEMS:
            for key, option in known_options(system).items():
                input_name = _input_name(name, system, key, option)
                row = offered.setdefault(input_name, {"name": input_name, "option": option, "systems": []})
                row["systems"].append(system)
                own = len(row["systems"]) == 1 or system == self.system
                if own:
                    mine = stored if system == self.system or option is COMMON.get(key) else {}
                    row |= _told(system, key, option, mine)
        yield from offered.values()


class OptionsField(forms.Field):
    """The options of an integration as a dict, as ``Integration.options`` holds them."""

    widget = OptionsWidget

    def to_python(self, value: Any) -> dict[str, Any]:
        """The dict as it is."""
        return value if isinstance(value, dict) else {}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether any option differs."""
        return (initial or {}) != (data or {})


def option_label(system: str, key: str) -> str:
    """What a person reads for an option."""
    label = FIELDS[system].options.get(key) or (known_options(system)[key].label if _known(system, key) else "")
    return label or key.replace("_", " ").capitalize()


def options_told(options: Mapping[str, Any], *, system: str) -> str:
    """Stored options in words, for those who may not change them."""
    told = []
    for key, value in options.items():
        option = known_options(system)[key] if _known(system, key) else Option(meaning="", kind="text")
        told.append(f"{option_label(system, key)}: {_choice_name(option, _as_text(option, value))}")
    return "; ".join(told) or "As usual"


def _known(system: str, key: str) -> bool:
    return key in known_options(system)


def _input_name(name: str, system: str, key: str, option: Option) -> str:
    return f"{name}_{key}" if option is COMMON.get(key) else f"{name}_{system}_{key}"


def _told(system: str, key: str, option: Option, stored: Mapping[str, Any]) -> dict[str, Any]:
    default = "" if option.default is None else _as_text(option, option.default)
    value = _as_text(option, stored[key]) if key in stored else ""
    return {
        "label": option_label(system, key),
        "required": key in FIELDS[system].options and key not in FIELDS[system].optional_when,
        "value": value,
        "default": default,
        "default_name": _choice_name(option, default),
        "checked": bool(stored.get(key, option.default)),
        "choices": [(choice, _choice_name(option, choice)) for choice in option.choices],
        "span": f"From {option.least:g} to {option.most:g}." if option.kind in ("integer", "number") else "",
        "input_type": "url" if option.kind == "url" else "text",
        "numeric": {"integer": "numeric", "number": "decimal"}.get(option.kind, ""),
    }


def _choice_name(option: Option, choice: str) -> str:
    return option.names.get(choice, choice)


def _as_text(option: Option, value: Any) -> str:
    if option.kind == "codes" and isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, indent=2, ensure_ascii=False)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _typed(option: Option, text: str) -> Any:
    """The value a text stands for; None where nothing differs from the default."""
    if option.kind == "boolean":
        ticked = bool(text)
        return ticked if ticked != bool(option.default) else None
    if not text:
        return None
    if option.kind == "codes":
        return [part.strip() for part in text.split(",") if part.strip()]
    if option.kind not in ("integer", "number", "json"):
        return text
    # JSON writes numbers as people do; what is no JSON stays a text, which the connector then refuses by name.
    try:
        return json.loads(text)
    except ValueError:
        return text
