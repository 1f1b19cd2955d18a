"""A world for pipeline tests: a district, the sandbox server that shows it, and an integration set up for it.

    with a_world("aeries", students=60) as world:
        run = world.sync()
        world.district.leave(world.some_child().id)
        assert world.sync().counts["left"] == 1

Everything goes over a real socket to the sandbox on 127.0.0.1. Tests need the `db` fixture.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import time_machine
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from integrations.configure import configure
from integrations.management.commands.sync import carry
from integrations.models import Change, Integration, RecordIssue, SyncRun
from integrations.sandbox import District, start
from integrations.sandbox.district import Child
from integrations.sandbox.server import Sandbox
from integrations.services import approve_run, start_import, undo_run
from students.codes import STATES
from students.models import Student

NOVEMBER = dt.datetime(2026, 11, 16, 18, tzinfo=dt.UTC)
ASIAN = {str(code): "asian" for code in (*range(201, 209), 299, 400)}
PACIFIC = {str(code): "pacific_islander" for code in (301, 302, 303, 304, 399)}
CODES: dict[str, dict[str, dict[str, str]]] = {
    "aeries": {
        "gender": {"M": "M", "F": "F", "N": "X", "X": "X"},
        "ethnicity": {"Y": "hispanic", "N": "not_hispanic"},
        "race": {"100": "american_indian", "600": "black", "700": "white", **ASIAN, **PACIFIC},
        "language": {"00": "en", "01": "es", "02": "vi", "03": "yue", "04": "ko", "05": "fil"},
        "relationship": {
            "10": "mother", "11": "father", "13": "stepmother", "14": "stepfather", "20": "grandparent",
            "23": "other_relative", "25": "other", "99": "other",
        },
    },
    "powerschool": {
        "gender": {"M": "M", "F": "F", "N": "X", "X": "X"},
        "ethnicity": {
            "H": "hispanic", "YES": "hispanic", "Y": "hispanic", "NO": "not_hispanic", "N": "not_hispanic",
            **dict.fromkeys("IABFPWMU", "not_hispanic"),
        },
        "race": {
            "WH": "white", "BL": "black", "AS": "asian", "FI": "asian", "PI": "pacific_islander",
            "AI": "american_indian",
        },
        "language": {
            "English": "en", "Spanish": "es", "Vietnamese": "vi", "Cantonese": "yue", "Korean": "ko",
            "Filipino": "fil",
        },
        "relationship": {
            "Mother": "mother", "Father": "father", "Stepmother": "stepmother", "Stepfather": "stepfather",
            "Grandparent": "grandparent", "Other Relative": "other_relative", "Other Adult": "other",
            "Other": "other",
        },
    },
    "illuminate": {
        "gender": {"M": "M", "F": "F", "N": "X", "X": "X"},
        "ethnicity": {"true": "hispanic", "false": "not_hispanic"},
        "race": {"100": "american_indian", "600": "black", "700": "white", **ASIAN, **PACIFIC},
        "language": {"00": "en", "01": "es", "02": "vi", "03": "yue", "04": "ko", "05": "fil"},
        "relationship": {
            "M": "mother", "F": "father", "SM": "stepmother", "SF": "stepfather", "GP": "grandparent",
            "R": "other_relative", "O": "other",
        },
        "grade_level": {"15": "PR", "16": "TK", "1": "K", **{str(n + 1): str(n) for n in range(1, 13)}},
    },
    "schooltool": {
        "gender": {"M": "M", "F": "F", "X": "X"},
        "ethnicity": {"Y": "hispanic", "N": "not_hispanic"},
        "race": {"I": "american_indian", "A": "asian", "B": "black", "P": "pacific_islander", "W": "white"},
        "language": {"ENG": "en", "SPA": "es", "VIE": "vi", "YUE": "yue", "KOR": "ko", "FIL": "fil"},
        "relationship": {
            "MOTH": "mother", "FATH": "father", "SMTH": "stepmother", "SFTH": "stepfather", "GPAR": "grandparent",
            "OREL": "other_relative", "OTHR": "other",
        },
        "grade_level": {
            "PKH": "PR", "PKF": "TK", "KH": "K", "KF": "K", **{f"{n:02d}": str(n) for n in range(1, 13)},
        },
    },
}  # fmt: skip
"""System → entity → the district's codes in our values: every code but the ones the generator strews as unknown."""
CODES["oneroster"] = {
    "gender": {"male": "M", "female": "F", "other": "X"},
    "ethnicity": {"true": "hispanic", "false": "not_hispanic"},
    "race": {
        "americanIndianOrAlaskaNative": "american_indian", "asian": "asian", "blackOrAfricanAmerican": "black",
        "nativeHawaiianOrOtherPacificIslander": "pacific_islander", "white": "white",
    },
    "language": {"eng": "en", "spa": "es", "vie": "vi", "yue": "yue", "kor": "ko", "fil": "fil"},
    "relationship": {
        "parent": "parent", "guardian": "guardian", "relative": "other_relative", "ext:other": "other",
    },
    "grade_level": {"PR": "PR", "TK": "TK", "KG": "K", **{f"{n:02d}": str(n) for n in range(1, 13)}},
}  # fmt: skip
CODES["powerschool_query"] = {
    **CODES["powerschool"],
    "ethnicity": {"1": "hispanic", "0": "not_hispanic", **CODES["powerschool"]["ethnicity"]},
    "allergy": {
        "Peanut": "peanuts", "Tree nuts": "tree_nuts", "Bee stings": "bee_sting", "Latex": "latex",
    },
}  # fmt: skip
GRADES = {"-2": "PR", "-1": "TK", "0": "K", **{str(number): str(number) for number in range(1, 13)}}
FAMILY = {
    "aeries": ["family_key"],
    "powerschool": ["head_of_household_last_name", "household_home_address"],
    "powerschool_query": ["head_of_household_last_name", "household_home_address"],
    "schooltool": ["head_of_household_last_name", "household_home_address"],
    "oneroster": ["head_of_household_last_name", "household_home_address"],
    "illuminate": ["head_of_household_last_name", "household_home_address"],
}


def configuration(vendor: str, sis: Sandbox, *, name: str = "District", **fields: Any) -> dict[str, Any]:
    """A `configure` file for a sandbox: schools, complete mappings and one integration with these fields."""
    schools = [{"code": str(s.number), "name": s.name} for s in sis.district.real_schools]
    tables = {
        "building": {school["code"]: school["code"] for school in schools},
        "grade_level": GRADES,
        "state": {code: code for code in STATES},
        **CODES[vendor],
    }
    flags = {"use_contact_record": True} if vendor == "aeries" else {}
    own = {"options": {**sis.options, **fields.pop("options", {})}} if sis.options or "options" in fields else {}
    return {
        "schools": schools,
        "data_entity_mappings": [
            {"name": f"{name} {entity}", "entity": entity, "values": values} for entity, values in tables.items()
        ],
        "integrations": [
            {
                "name": name,
                "system": vendor,
                "url": sis.url,
                "credentials": sis.credentials,
                "mappings": {entity: f"{name} {entity}" for entity in tables},
                "family_identifier": FAMILY[vendor],
                "drop_students_not_in_file": True,
                "import_enabled": True,
                **flags,
                **own,
                **fields,
            }
        ],
    }


def host_of(sis: Sandbox) -> str:
    """The host and port of a sandbox, as SIS_ALLOWED_HOSTS takes them."""
    return f"{sis.host}:{sis.port}"


@dataclass
class World:
    """One district behind one vendor's sandbox, and the integration that reads it."""

    vendor: str
    sis: Sandbox
    name: str = "District"

    @property
    def district(self) -> District:
        """The state the sandbox shows; its mutators change what the next sync reads."""
        return self.sis.district

    @property
    def integration(self) -> Integration:
        """The integration as the database has it now."""
        return Integration.objects.get(name=self.name)

    def set(self, **fields: Any) -> None:
        """Change fields of the integration."""
        Integration.objects.filter(name=self.name).update(**fields)

    def begin(self, **arguments: Any) -> SyncRun:
        """A queued import that nobody carries yet."""
        return start_import(integration=self.integration, wake=False, **arguments)

    def sync(self, **arguments: Any) -> SyncRun:
        """One import from beginning to end (or to where it waits for a person)."""
        return self.carry(self.begin(**arguments))

    def carry(self, run: SyncRun) -> SyncRun:
        """Carry an open run on to its end."""
        carry(run.pk)
        return SyncRun.objects.get(pk=run.pk)

    def approve(self, run: SyncRun, **arguments: Any) -> SyncRun:
        """Approve a held run by the hash it has now, and apply it."""
        approve_run(run=run, **{"plan_hash": run.plan_hash, **arguments}, wake=False)
        return self.carry(run)

    def undo(self, run: SyncRun, **arguments: Any) -> SyncRun:
        """Undo a run, or students of it, to the end; returns the undo run."""
        return self.carry(undo_run(run=run, wake=False, **arguments))

    def external_id(self, child: Child) -> str:
        """The id by which the system names a child."""
        return str(child.id if self.vendor in ("aeries", "schooltool") else child.dcid)

    def student(self, child: Child) -> Student:
        """The student we hold for a child. Raises Student.DoesNotExist."""
        return Student.objects.get(
            identities__integration=self.integration, identities__external_id=self.external_id(child)
        )

    def settled(self) -> list[Child]:
        """Active children with exactly one enrollment row, in order of id: safe to move, leave or remove."""
        found = [c for c in self.district.active_children() if len(c.enrollments) == 1]
        return sorted(found, key=lambda child: child.id)

    def changes(self, run: SyncRun, entity: str = "student") -> dict[str, Change]:
        """External id → the change of a run."""
        return {c.external_id: c for c in Change.objects.filter(run=run, entity=entity)}

    def issues(self, run: SyncRun, **having: Any) -> list[RecordIssue]:
        """The issues of a run, in order."""
        return list(RecordIssue.objects.filter(run=run, **having).order_by("pk"))


@contextmanager
def a_world(
    vendor: str,
    *,
    students: int = 60,
    schools: int = 2,
    seed: int = 3,
    messy: bool = False,
    district: District | None = None,
    name: str = "District",
    switches: dict[str, Any] | None = None,
    now: dt.datetime = NOVEMBER,
    **fields: Any,
) -> Iterator[World]:
    """A World, set up and ready to sync. fields: of the integration, as a `configure` file takes them.

    now: what the clock says when it begins, so that the district's school year is always this year.
    """
    if district is None:
        district = District.generate(students=students, seed=seed, schools=schools, messy=messy)
    with time_machine.travel(now, tick=True), start(vendor, district, **(switches or {})) as sis:
        hosts = [*settings.SIS_ALLOWED_HOSTS, host_of(sis)]
        with override_settings(SIS_ALLOWED_HOSTS=hosts):
            configure(json.dumps(configuration(vendor, sis, name=name, **fields)), environ={})
            yield World(vendor, sis, name)


def roster() -> bytes:
    """`export_roster --all`, as bytes: what two databases must agree in."""
    out = StringIO()
    call_command("export_roster", "--format", "json", "--all", stdout=out)
    return out.getvalue().encode()
