"""Which fields each student information system shows and requires: the one table that says so.

The admin form, `manage.py configure` and the documents read it, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from students.families import FAMILY_FIELDS

LABELS: Final[dict[str, str]] = {
    "name": "Name",
    "system": "Student Information System",
    "url": "Url",
    "consumer_token": "Consumer Token",
    "consumer_secret": "Consumer Secret",
    "token": "Token",
    "user_token": "User Token",
    "user_secret": "User Secret",
    "academic_year": "Academic Year",
    "building": "Building",
    "ethnicity": "Ethnicity",
    "grade_level": "Grade Level",
    "race": "Race",
    "state": "State",
    "gender": "Gender",
    "language": "Language",
    "relationship": "Relationship",
    "family_identifier": "Family Identifier",
    "allergy": "Allergy",
    "primary_enrollment_codes": "Primary Enrollment Codes",
    "alternate_enrollment_codes": "Alternate Enrollment Codes",
    "pictures_only": "Pictures Only",
    "use_local_id_as_pin": "Use Local ID as Pin",
    "use_contact_record": "Use Contact Record",
    "drop_students_not_in_file": "Drop Students Not In File",
    "environment": "Environment",
    "import_enabled": "Import enabled",
    "export_enabled": "Export enabled",
    "guard_percent": "Hold above percent",
    "guard_count": "And above students",
    "year": "Academic Year Imported",
    "rollover_percent": "Rollover: hold above percent",
    "rollover_count": "Rollover: and above students",
    "rollover_until": "Rollover limits until",
    "error_owner": "Error owner",
    "purpose": "Purpose",
    "options": "Options",
    "active": "Active",
}
"""Field of an integration → its label, in the order of the form."""

_MAPPINGS = (
    "building", "ethnicity", "grade_level", "race", "state", "gender", "language", "relationship",
)  # fmt: skip
_RUNNING = (
    "environment", "import_enabled", "export_enabled", "guard_percent", "guard_count", "year", "rollover_percent",
    "rollover_count", "rollover_until", "error_owner", "purpose", "options",
)  # fmt: skip
_ALWAYS = frozenset({"name", "system", "url", *_MAPPINGS})
PICTURES_ONLY = frozenset({"name", "system", "url", "token", "building"})
_ONLY_EXISTING = frozenset({"active"})
_CREDENTIALS = frozenset({"token", "consumer_token", "consumer_secret", "user_token", "user_secret"})
_HOUSEHOLD = tuple(option for option in FAMILY_FIELDS if option != "family_key")


class SystemFields(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of one system holds.

    shown: fields in the order of the form; ``active`` stands only on existing integrations. required: the
    fields that must be filled in. family_options: what Family Identifier offers. labels: labels that differ
    from LABELS. options: keys of Options that must be filled in → their label. optional_when: key
    of one of these, or a required field → (option, value) with which it may stay blank. url_is_secret: the Url carries
    the system's secret. url_help: what to enter as Url, where that needs saying.
    """

    title: str
    shown: tuple[str, ...]
    required: frozenset[str]
    family_options: tuple[str, ...] = _HOUSEHOLD
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    optional_when: Mapping[str, tuple[str, str]] = {}
    addresses: tuple[str, ...] = ()
    url_is_secret: bool = False
    url_help: str = ""

    def label(self, field: str) -> str:
        """The label of a field, or of a required option, on this system's form."""
        return self.labels.get(field) or self.options.get(field) or LABELS[field]


def _system(title: str, own: tuple[str, ...], *, also_required: tuple[str, ...], **more: Any) -> SystemFields:
    """The row of one system: the fields of all, and its own in the places LABELS gives them."""
    fields = {"name", "system", "url", *_MAPPINGS, "family_identifier", "drop_students_not_in_file"}
    fields |= {*own, *also_required, *_RUNNING, *_ONLY_EXISTING}
    return SystemFields(
        title=title,
        shown=tuple(field for field in LABELS if field in fields),
        required=_ALWAYS | frozenset(also_required),
        **more,
    )


_CONSUMER = ("consumer_token", "consumer_secret")
FIELDS: Final[dict[str, SystemFields]] = {
    "aeries": _system(
        "Aeries",
        (
            "academic_year", "primary_enrollment_codes", "alternate_enrollment_codes", "pictures_only",
            "use_local_id_as_pin", "use_contact_record",
        ),
        also_required=("token",),
        family_options=tuple(FAMILY_FIELDS),
    ),
    "illuminate": _system(
        "Illuminate",
        (),
        also_required=(*_CONSUMER, "user_token", "user_secret"),
        # OAuth 2 knows a client id and a client secret only.
        optional_when=dict.fromkeys(("user_token", "user_secret"), ("sign_in", "oauth2")),
    ),
    "powerschool": _system("PowerSchool", (), also_required=_CONSUMER),
    # Allergy may stay empty: a district without the health module has no allergies to translate.
    "powerschool_query": _system("PowerSchool Query", ("allergy",), also_required=_CONSUMER),
    "schooltool": _system(
        "SchoolTool",
        (),
        also_required=(),
        url_is_secret=True,
        url_help="The roster URL the district gives, with its token. The layout of that feed is our own: the "
        "vendor publishes none. What follows the last slash is hidden once saved",
    ),
    "oneroster": _system(
        "OneRoster",
        (),
        also_required=_CONSUMER,
        labels={"url": "Service URL", "consumer_token": "Key", "consumer_secret": "Secret"},
        options={"version": "OneRoster Version", "token_url": "Token URL"},
        # 1.1 may sign requests with OAuth 1.0a, which has no tokens to fetch.
        optional_when={"token_url": ("version", "1.1")},
        addresses=("token_url",),
    ),
}  # fmt: skip
"""System key → its fields."""


def shown_fields(system: str, *, existing: bool) -> tuple[str, ...]:
    """The fields of a system's form in order; ``active`` only for an existing integration."""
    return tuple(field for field in FIELDS[system].shown if existing or field not in _ONLY_EXISTING)


def required_fields(values: Mapping[str, Any], *, system: str) -> frozenset[str]:
    """The fields that must be filled in, given the others: with Pictures Only a handful; some options spare some."""
    rules = FIELDS[system]
    if "pictures_only" in rules.shown and values.get("pictures_only"):
        return PICTURES_ONLY
    options = values.get("options") or {}
    return rules.required - {name for name, (key, value) in rules.optional_when.items() if options.get(key) == value}


def check(values: Mapping[str, Any], *, system: str, existing: bool) -> dict[str, str]:
    """What keeps an integration from being saved: field → one sentence naming it by its label; {} if nothing.

    values: by field name; mappings as anything true, family_identifier as a list of options, options as a
    dict. existing: a credential that is blank keeps the stored one. A missing option of OneRoster stands
    under ``options``.
    """
    if system not in FIELDS:
        return {"system": f"{LABELS['system']} must be one of {', '.join(f.title for f in FIELDS.values())}."}
    rules = FIELDS[system]
    faults: dict[str, str] = {}
    required = required_fields(values, system=system)
    for field in rules.shown:
        kept = existing and field in _CREDENTIALS
        if field in required and not kept and _blank(values.get(field)) and field != "system":
            faults[field] = f"{rules.label(field)} is required for {rules.title}."
    if missing := _missing_options(values.get("options") or {}, rules):
        verb = "are" if len(missing) > 1 else "is"
        faults["options"] = f"{' and '.join(missing)} {verb} required for {rules.title}."
    if fault := _family_fault(values.get("family_identifier") or (), rules):
        faults["family_identifier"] = fault
    return faults


def _missing_options(options: Mapping[str, Any], rules: SystemFields) -> list[str]:
    """The labels of required options that are blank."""
    found = []
    for key, label in rules.options.items():
        other, value = rules.optional_when.get(key, ("", ""))
        if _blank(options.get(key)) and not (other and options.get(other) == value):
            found.append(label)
    return found


def hidden_fields_with_values(values: Mapping[str, Any], *, system: str) -> list[str]:
    """The fields that hold something though the system does not show them, in the order of the form.

    A Family Identifier option the system does not offer stands as ``family_identifier.<option>``.
    """
    rules = FIELDS[system]
    found: list[str] = []
    for field in LABELS:
        if field not in rules.shown and not _blank(values.get(field)):
            found.append(field)
        elif field == "family_identifier":
            chosen = values.get(field) or ()
            hidden = [option for option in chosen if option in FAMILY_FIELDS and option not in rules.family_options]
            found += [f"{field}.{option}" for option in hidden]
    return found


def hidden_label(field: str) -> str:
    """The label of an entry of ``hidden_fields_with_values``."""
    name, _, option = field.partition(".")
    return f"{LABELS[name]}: {FAMILY_FIELDS[option][0]}" if option else LABELS[name]


def _family_fault(chosen: Any, rules: SystemFields) -> str:
    for option in chosen:
        if option not in FAMILY_FIELDS:
            offered = ", ".join(FAMILY_FIELDS[known][0] for known in rules.family_options)
            return f"{LABELS['family_identifier']} has no option {option}; it has {offered}."
        if option not in rules.family_options:
            having = " and ".join(f.title for f in FIELDS.values() if option in f.family_options)
            return (
                f"{LABELS['family_identifier']}: {FAMILY_FIELDS[option][0]} is only available for {having}, "
                f"not for {rules.title}."
            )
    return ""


def _blank(value: Any) -> bool:
    """Whether a field is empty; an unticked box is, a 0 is not."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is False or value == [] or value == () or value == {}
