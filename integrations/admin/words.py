"""Runs, changes and what they hold in a registrar's words: no paths, no stored codes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from integrations.inbound.write import SPEAKER
from integrations.models import Change, ExternalIdentity
from integrations.models.run import Status
from students.labels import NOTHING, field_label, value_label
from students.models import Contact, Family, School, Student
from students.records import CONTACT_FIELDS, LINK_FIELDS, STUDENT_FIELDS
from students.scope import visible_students

STATUS_COLOURS: dict[str, str] = {
    Status.QUEUED: "info",
    Status.FETCHING: "info",
    Status.APPLYING: "info",
    Status.PLANNED: "primary",
    Status.HELD: "warning",
    Status.COMPLETE: "success",
    Status.COMPLETE_WITH_ISSUES: "warning",
    Status.PARTIAL: "warning",
    Status.FAILED: "danger",
    Status.CANCELLED: "",
    Status.DISCARDED: "",
    Status.SUPERSEDED: "",
    Status.UNDONE: "",
}
STATUS_SENTENCES: dict[str, str] = {
    Status.QUEUED: "Waiting for a worker to begin. This page follows by itself.",
    Status.FETCHING: "Reading the schools one by one and planning what would change. Nothing is written yet.",
    Status.APPLYING: "Writing the planned changes.",
    Status.PLANNED: "A dry run: this is what an import would do. Nothing was written.",
    Status.HELD: "Planned, not applied: a person must approve or discard it. Nothing was written.",
    Status.COMPLETE: "Every covered school was read whole and every change was written.",
    Status.COMPLETE_WITH_ISSUES: "The changes were written. Some records need a person: see the issues.",
    Status.PARTIAL: "Not everything was read: new and changed students were written, nobody was dropped.",
    Status.FAILED: "The run stopped. Changes it had not applied yet were not written.",
    Status.CANCELLED: "A person ended the run before it wrote anything.",
    Status.DISCARDED: "A person discarded the plan. Nothing was written.",
    Status.SUPERSEDED: "A newer import replaced this plan before anybody approved it. Nothing was written.",
    Status.UNDONE: "This run was applied and has been taken back since.",
}
UNDO_STATUSES: dict[str, str] = {
    Status.FETCHING: "Planning",
    Status.APPLYING: "Taking back",
    Status.COMPLETE_WITH_ISSUES: "Complete, later values kept",
}
UNDO_SENTENCES: dict[str, str] = {
    Status.FETCHING: "Looking at what was changed since, and planning what is taken back. Nothing is written yet.",
    Status.APPLYING: "Giving back what was there before.",
    Status.FAILED: "The undo stopped. What it had taken back stays so; the rest is as the import left it. "
    "Undo the import again for the rest.",
    Status.CANCELLED: "A person ended the undo before it took anything back.",
}
WHY_WITHHELD = {
    "owned": "another system owns the field",
    "locked": "the field is locked",
    "conflict": "somebody edited it after the plan was made",
    "later": "it was changed later, and the later value stays",
    "shared": "it also serves another student",
    "kept": "a person keeps the student enrolled",
    "elsewhere": "another integration has the student there as current",
}


class Line(msgspec.Struct, frozen=True):
    """One difference in words. why: why it is not written, "" when it is."""

    label: str
    before: str
    after: str
    why: str = ""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What codes in changes stand for. contacts: external id → name. families: key → members."""

    schools: Mapping[str, str]
    contacts: Mapping[str, str]
    families: Mapping[str, str]

    def school(self, code: str) -> str:
        """The school's name; a code we do not know as it is."""
        return self.schools.get(code, code)


def names_for(changes: Iterable[Change], user: Any) -> Names:
    """Everything needed to tell these changes, in a few queries."""
    by_integration: dict[int, set[str]] = {}
    keys: set[str] = set()
    for change in changes:
        for path, pair in [*change.fields.items(), *change.withheld.items()]:
            if path.startswith("contacts."):
                by_integration.setdefault(change.run.integration_id, set()).add(_contact_id(path))
            elif path == "family":
                keys.update(key for key in pair[:2] if key)
    contacts: dict[str, str] = {}
    for integration, ids in by_integration.items():
        rows = ExternalIdentity.objects.filter(
            integration=integration, entity="contact", external_id__in=ids
        ).select_related("contact")
        contacts.update({row.external_id: str(row.contact) for row in rows})
    schools = dict(School.objects.values_list("code", "name"))
    return Names(schools=schools, contacts=contacts, families=_families(keys, user))


def lines_of(change: Change, names: Names) -> list[Line]:
    """What the change does, then what it leaves out and why."""
    told = [
        _line(path, pair[0], pair[1], change, names)
        for path, pair in sorted(change.fields.items(), key=_place)
        if path not in change.withheld
    ]
    for path, (ours, theirs, why) in sorted(change.withheld.items(), key=_place):
        line = _line(path, ours, theirs, change, names)
        told.append(Line(line.label, line.before, line.after, WHY_WITHHELD.get(why, why)))
    return told


def _place(item: tuple[str, Any]) -> tuple[int, str]:
    """Where a field stands on the page, whatever order the database gives back."""
    path = item[0]
    order = (*STUDENT_FIELDS, *CONTACT_FIELDS, "family", "contacts", "enrollments")
    head = path.partition(".")[0]
    return (order.index(head) if head in order else len(order), path)


def _line(path: str, before: Any, after: Any, change: Change, names: Names) -> Line:
    if change.entity == "contact":
        return Line(
            field_label("contact", path),
            value_label("contact", path, before),
            value_label("contact", path, after),
        )
    if path.startswith("contacts."):
        return _contact_line(path, before, after, names)
    if path.startswith("enrollments."):
        return _enrollment_line(path, before, after, names)
    if path == "family":
        told = [names.families.get(key, "a family") if key else "no family" for key in (before, after)]
        return Line("Family", *told)
    if path == SPEAKER:
        return Line("SIS ID that speaks for the student", before or NOTHING, after or NOTHING)
    return Line(
        field_label("student", path),
        value_label("student", path, before),
        value_label("student", path, after),
    )


def _contact_line(path: str, before: Any, after: Any, names: Names) -> Line:
    external_id = _contact_id(path)
    who = names.contacts.get(external_id, f"a contact (SIS ID {external_id})")
    field = path.removeprefix(f"contacts.{external_id}").removeprefix(".")
    if not field:
        told = [_link(value) for value in (before, after)]
        return Line(f"Contact {who}", *told)
    label = field_label("contact", field).lower()
    return Line(f"Contact {who}: {label}", value_label("contact", field, before), value_label("contact", field, after))


def _link(link: Mapping[str, Any] | None) -> str:
    if link is None:
        return "not a contact of the student"
    words = [value_label("contact", "relationship", link.get("relationship"))]
    words[0] = "contact, relationship not stated" if words[0] == NOTHING else words[0]
    words.append(f"priority {link.get('order', 1)}")
    flags = ("lives_with", "emergency", "receives_mail", "restricted")
    return ", ".join([*words, *(field_label("contact", flag).lower() for flag in flags if link.get(flag))])


def _enrollment_line(path: str, before: Any, after: Any, names: Names) -> Line:
    parts = path.split(".")
    whole = parts[-1].isdigit()
    school, year = ".".join(parts[1 : -2 if whole else -3]), parts[-2 if whole else -3]
    label = f"{names.school(school)}, {year}"
    if whole:
        return Line(f"Enrollment at {label}", _stay(before), _stay(after))
    field = parts[-1]
    if field == "left":
        told = ["still enrolled" if day is None else value_label("enrollment", "left", day) for day in (before, after)]
        return Line(f"{label}: last day", *told)
    return Line(
        f"{label}: {field_label('enrollment', field).lower()}",
        value_label("enrollment", field, before),
        value_label("enrollment", field, after),
    )


def _stay(stay: Mapping[str, Any] | None) -> str:
    if stay is None:
        return "not enrolled"
    words = [value_label("enrollment", "grade_level", stay.get("grade_level"))]
    if stay.get("entered"):
        words.append(f"from {value_label('enrollment', 'entered', stay['entered'])}")
    if stay.get("left"):
        words.append(f"until {value_label('enrollment', 'left', stay['left'])}")
    words.append("primary" if stay.get("primary") else "alternate")
    return ", ".join(words)


def _contact_id(path: str) -> str:
    rest = path.removeprefix("contacts.")
    head, _, last = rest.rpartition(".")
    return head if head and last in LINK_FIELDS else rest


def _families(keys: set[str], user: Any) -> dict[str, str]:
    told: dict[str, str] = {}
    for family in Family.objects.filter(key__in=keys):
        members = visible_students(Student.objects.filter(family=family), user)[:3]
        names = ", ".join(f"{one.first_name} {one.last_name}" for one in members)
        told[family.key] = f"with {names}" if names else "a family"
    return told


def ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago something happened, in the largest unit that is at least one."""
    if moment is None:
        return "never"
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def contact_name(contact_id: int | None) -> str:
    """The name of a contact; "a contact" when there is none by now."""
    contact = Contact.objects.filter(pk=contact_id).first() if contact_id else None
    return str(contact) if contact else "a contact"
