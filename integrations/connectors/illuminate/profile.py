"""The endpoint profile: paths, parameters and names of Illuminate's lists, as shipped and as a district corrects them.

Only part of the API is published, so everything that may be called otherwise somewhere stands here. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from ...errors import ConfigurationError, RecordError
from ...parsing import UNREADABLE

PATH = re.compile(r"[A-Za-z0-9_.~{}-]+(/[A-Za-z0-9_.~{}-]+)*/?")
NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
DOTTED = re.compile(r"[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,60})*")
PLACEHOLDER = re.compile(r"\{(\w*)\}")
MAY_BE_BLANK = frozenset({"grade_levels", "terms", "contacts", "codes"})
"""The lists a district may do without: a blank path leaves them out."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One list. name: its key in the profile. path: below Api/, "" for a list that is not read.

    parameters: our parameter → what it is called there, "" for one that is not sent. root: the member of the
    envelope that holds the rows. fields: our field → what it is called there, dots reaching into objects.
    """

    name: str
    path: str
    parameters: Mapping[str, str]
    fields: Mapping[str, str]
    root: str = "results"

    def value(self, row: Mapping[str, Any], field: str) -> Any:
        """The value of a field: UNSET where it is missing, None where it, or the object around it, is null."""
        found: Any = row
        for part in self.fields[field].split("."):
            if found is None:
                return None
            if not isinstance(found, dict):
                return UNSET
            found = found.get(part, UNSET)
        return found

    def option(self, part: str) -> str:
        """Where a person corrects a part of it, for messages."""
        return f"the option profile, {self.name}.{part}"


def row_of(raw: bytes | Raw) -> dict[str, Any]:
    """A decoded row. Raises RecordError where it is no object or holds bytes that are no text."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError:
        raise RecordError("bad_type", "", "The row is no object.") from None
    except UNREADABLE:
        raise RecordError("bad_text", "", "The row holds bytes that are no text.") from None


def _endpoint(name: str, path: str, parameters: str, fields: str, *, unsent: str = "", **others: str) -> Endpoint:
    """An endpoint whose names are ours, but for the others. unsent: parameters that are not sent."""
    return Endpoint(
        name=name,
        path=path,
        parameters={one: one for one in parameters.split()} | dict.fromkeys(unsent.split(), ""),
        fields={one: one for one in fields.split()} | others,
    )


SHIPPED: Mapping[str, Endpoint] = {
    "sites": _endpoint(
        "sites", "Sites/", "",
        "site_id site_name site_type_name state_school_id start_grade_level_id end_grade_level_id",
        unsent="page limit",
    ),
    "grade_levels": _endpoint(
        "grade_levels", "GradeLevels/", "", "grade_level_id short_name long_name", unsent="page limit",
    ),
    "terms": _endpoint(
        "terms", "Terms/", "site_id academic_year page limit", "start_date end_date session_type_id academic_year",
    ),
    "students": _endpoint(
        "students", "Students/", "site_id date page limit",
        "student_id local_student_id state_student_id first_name middle_name last_name name_suffix aka_first_name "
        "aka_last_name birth_date gender is_hispanic primary_ethnicity secondary_ethnicity tertiary_ethnicity "
        "primary_language correspondence_language email",
        home_phone="primary_household.home_phone",
        address="primary_household.dwelling.address",
        address2="primary_household.dwelling.address2",
        city="primary_household.dwelling.city",
        state="primary_household.dwelling.state",
        zip="primary_household.dwelling.zip",
    ),
    "enrollment": _endpoint(
        "enrollment", "Enrollment/", "site_id academic_year page limit",
        "student_id site_id academic_year session_type_id grade_level_id entry_date leave_date is_primary_ada "
        "exit_code_id",
    ),
    "contacts": _endpoint(
        "contacts", "Contacts/", "site_id date page limit",
        "contact_id student_id household_id is_primary_household relationship first_name last_name "
        "is_primary_contact lives_with gets_correspondence emergency_order home_phone cell_phone work_phone email "
        "address address2 city state zip",
    ),
    "codes": _endpoint(
        "codes", "Codes/{table}/", "", "code_key code_translation is_active", unsent="table page limit",
    ),
}  # fmt: skip
"""The profile as shipped; the folder's README says of each part how sure it is."""


def profile_of(given: Any) -> dict[str, Endpoint]:
    """The shipped profile with the corrections given. Raises ConfigurationError naming what is wrong.

    given: list → {"path", "root", "parameters": {ours: theirs}, "fields": {ours: theirs}}, each optional.
    """
    if not isinstance(given, dict):
        raise _wrong("", 'must be an object, such as {"students": {"path": "Students/"}}')
    if unknown := sorted(set(given) - set(SHIPPED)):
        raise _wrong("", f"has no list {', '.join(unknown)}. It has: {', '.join(SHIPPED)}")
    return {name: _corrected(shipped, given.get(name, {})) for name, shipped in SHIPPED.items()}


def as_json(profile: Mapping[str, Endpoint]) -> dict[str, Any]:
    """A profile as a person writes it down."""
    return {
        name: {"path": one.path, "root": one.root, "parameters": dict(one.parameters), "fields": dict(one.fields)}
        for name, one in profile.items()
    }


def _corrected(shipped: Endpoint, given: Any) -> Endpoint:
    name = shipped.name
    if not isinstance(given, dict):
        raise _wrong(name, "must be an object")
    if unknown := sorted(set(given) - {"path", "root", "parameters", "fields"}):
        raise _wrong(name, f"has no part {', '.join(unknown)}. It has: path, root, parameters, fields")
    path, root = given.get("path", shipped.path), given.get("root", shipped.root)
    if fault := _path_fault(path, shipped):
        raise _wrong(f"{name}.path", fault)
    if not (isinstance(root, str) and NAME.fullmatch(root)):
        raise _wrong(f"{name}.root", "must be the name of a member, such as results")
    return Endpoint(
        name=name,
        path=path,
        root=root,
        parameters=_names(shipped.parameters, given.get("parameters", {}), f"{name}.parameters", fit=NAME, blank=True),
        fields=_names(shipped.fields, given.get("fields", {}), f"{name}.fields", fit=DOTTED, blank=False),
    )


def _names(shipped: Mapping[str, str], given: Any, place: str, *, fit: re.Pattern[str], blank: bool) -> dict[str, str]:
    """The shipped names with the corrections of one part."""
    if not isinstance(given, dict):
        raise _wrong(place, "must be an object")
    if unknown := sorted(set(given) - set(shipped)):
        raise _wrong(place, f"has no {', '.join(unknown)}. It has: {', '.join(shipped) or 'none'}")
    for ours, theirs in given.items():
        if not isinstance(theirs, str) or not (fit.fullmatch(theirs) or (blank and theirs == "")):
            raise _wrong(f"{place}.{ours}", "must be a name of letters, digits, _ and -")
        if ours in ("student_id", "contact_id") and "." in theirs:
            raise _wrong(f"{place}.{ours}", "must be a member of the row itself, without a dot")
    return {**shipped, **given}


def _path_fault(path: Any, shipped: Endpoint) -> str:
    if not isinstance(path, str):
        return "must be a text"
    if path == "":
        return "" if shipped.name in MAY_BE_BLANK else "must not be blank"
    if not PATH.fullmatch(path) or ".." in path:
        return "must be a path below Api/, such as Students/, without a leading slash, ? or .."
    unknown = sorted(set(PLACEHOLDER.findall(path)) - set(shipped.parameters))
    if unknown or set("{}") & set(PLACEHOLDER.sub("", path)):
        return f"may hold {{{'}, {'.join(shipped.parameters)}}} and nothing else in braces"
    return ""


def _wrong(place: str, fault: str) -> ConfigurationError:
    where = f", {place}," if place else ""
    return ConfigurationError(f"The option profile of Illuminate{where} {fault}.")
