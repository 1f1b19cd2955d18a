"""`manage.py configure`: one file in, the same file out, all or nothing."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from integrations.configure import AS_BEFORE, CHANGED, NEW, configure
from integrations.configure_export import export
from integrations.configure_file import FileError
from integrations.models import Integration, ScheduledJob, SchoolConnection, SyncRun
from mapping.models import DataEntityMapping, DataEntityMappingValue
from students.models import AcademicYear, School

pytestmark = pytest.mark.django_db
SECRET = "s3cr3t-c3rtificate"
ENTITIES = {
    "building": {"110": "A1", "120": "A2"},
    "ethnicity": {"Y": "hispanic", "N": "not_hispanic"},
    "grade_level": {"0": "K", "1": "1"},
    "race": {"700": "white"},
    "state": {"CA": "CA"},
    "gender": {"F": "F", "M": "M"},
    "language": {"01": "es"},
    "relationship": {"10": "mother"},
}


@pytest.fixture(autouse=True)
def _empty() -> None:
    """Without the shipped mappings, so that a test sees only its own."""
    DataEntityMapping.objects.all().delete()


def a_file() -> dict[str, Any]:
    """A whole configuration."""
    return {
        "schools": [{"code": "A1", "name": "Alder"}, {"code": "A2", "name": "Bluff", "low_grade": "K"}],
        "academic_years": [{"name": "2026-2027", "starts": "2026-08-01", "ends": "2027-06-15"}],
        "data_entity_mappings": [
            {"name": f"My {entity}", "entity": entity, "values": {**values}} for entity, values in ENTITIES.items()
        ],
        "integrations": [
            {
                "name": "Main",
                "system": "aeries",
                "url": "https://aeries.example.org",
                "credentials": {"token": SECRET},
                "mappings": {entity: f"My {entity}" for entity in ENTITIES},
                "family_identifier": ["Family Key", "household_home_address"],
                "primary_enrollment_codes": ["", "S"],
                "drop_students_not_in_file": True,
                "guard": {"percent": 7},
                "options": {"page_size": 100},
                "schools": ["A2"],
            }
        ],
    }


def _job(**values: Any) -> dict[str, Any]:
    """A scheduled job of the integration Main."""
    job = {"name": "Nightly", "integration": "Main", "frequency": "day", "hour": 2, "minute": 30, "run_as": "registrar"}
    return {**job, **values}


def store(content: dict[str, Any], **environ: str) -> dict[str, dict[str, int]]:
    """The counts of a file stored."""
    return configure(json.dumps(content), environ=environ).counts


def refusal(content: Any, **environ: str) -> str:
    """The sentence a file is refused with."""
    User.objects.get_or_create(username="registrar")
    with pytest.raises(FileError) as caught:
        configure(content if isinstance(content, str) else json.dumps(content), environ=environ)
    return str(caught.value)


def test_everything_is_made_when_the_database_is_empty() -> None:
    counts = store(a_file())

    assert {section: of[NEW] for section, of in counts.items()} == {
        "schools": 2,
        "academic years": 1,
        "data entity mappings": 8,
        "integrations": 1,
    }
    main = Integration.objects.get()
    assert (main.token, main.guard_percent, main.guard_count) == (SECRET, 7, 10)
    assert main.family_identifier == ["family_key", "household_home_address"]
    assert main.primary_enrollment_codes == "(blank), S"
    assert main.race is not None
    assert main.race.values.get().value == "white"
    assert [one.school.code for one in main.school_connections.all()] == ["A2"]


def test_nothing_changes_when_the_same_file_comes_again() -> None:
    store(a_file())
    written = Integration.history.count()

    counts = store(a_file())

    assert all(of[NEW] == of[CHANGED] == 0 and of[AS_BEFORE] for of in counts.values())
    assert Integration.history.count() == written


def test_the_file_comes_out_again_without_secrets() -> None:
    content = a_file()
    store(content)

    first = json.dumps(export())

    assert SECRET not in first
    found = json.loads(first)
    assert found["schools"] == content["schools"]
    assert found["academic_years"] == content["academic_years"]
    assert {one["name"]: one for one in found["data_entity_mappings"]} == {
        one["name"]: one for one in content["data_entity_mappings"]
    }
    main, given = found["integrations"][0], content["integrations"][0]
    del given["credentials"]
    expected = {**given, "family_identifier": ["family_key", "household_home_address"]}
    expected |= {"primary_enrollment_codes": "(blank), S", "guard": {"percent": 7, "count": 10}}
    assert {key: main[key] for key in expected} == expected
    assert all(of[AS_BEFORE] for of in store(found).values())
    assert json.dumps(export()) == first


def test_omitted_keys_stay_when_a_file_names_little() -> None:
    store(a_file())

    store({"integrations": [{"name": "Main", "guard": {"count": 25}, "purpose": "Nightly"}]})

    main = Integration.objects.get()
    assert (main.guard_percent, main.guard_count, main.purpose) == (7, 25, "Nightly")
    assert (main.token, main.url, main.drop_students_not_in_file) == (
        SECRET,
        "https://aeries.example.org",
        True,
    )
    assert SchoolConnection.objects.count() == 1


def test_values_and_schools_are_replaced_wholly_when_present() -> None:
    store(a_file())

    store(
        {
            "data_entity_mappings": [{"name": "My gender", "values": {"F": "X", "N": "X"}}],
            "integrations": [{"name": "Main", "schools": ["A1"]}],
        }
    )

    rows = DataEntityMappingValue.objects.filter(mapping__name="My gender")
    assert dict(rows.values_list("external_value", "value")) == {"F": "X", "N": "X"}
    assert [one.school.code for one in SchoolConnection.objects.all()] == ["A1"]


def test_a_secret_comes_from_the_environment_when_named() -> None:
    content = a_file()
    content["integrations"][0]["credentials"] = {"token": {"env": "MY_TOKEN"}}

    assert refusal(content) == ("integrations[0].credentials.token: the environment variable MY_TOKEN is not set.")
    store(content, MY_TOKEN="from outside")
    assert Integration.objects.get().token == "from outside"


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets a dotted path of a file."""

    def apply(content: dict[str, Any]) -> None:
        *way, last = path.split(".")
        found: Any = content
        for step in way:
            found = found[int(step)] if step.isdigit() else found[step]
        found[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("integrations.0.urll", "x", "integrations[0].urll is not a known key. Did you mean url?"),
        ("nonsense", [], "nonsense is not a known key. Known keys: schools,"),
        ("integrations.0.credentials.tokn", "x", "integrations[0].credentials.tokn is not a known key."),
        ("integrations.0.guard.percent", 0, "integrations[0].guard.percent must be a whole number from 1"),
        ("integrations.0.active", "yes", "integrations[0].active must be true or false."),
        ("integrations.0.system", "saturn", "integrations[0].system: there is no system 'saturn'"),
        ("integrations.0.url", "aeries", "integrations[0].url: The Url must be a whole address"),
        ("integrations.0.url", "http://10.0.0.1", "integrations[0].url: The Url must begin with https."),
        ("integrations.0.url", "", "integrations[0] (Main): Url is required for Aeries."),
        ("integrations.0.credentials.token", "", "integrations[0] (Main): Token is required for Aeries."),
        ("integrations.0.mappings.race", None, "integrations[0] (Main): Race is required for Aeries."),
        (
            "integrations.0.mappings.race",
            "My gender",
            "integrations[0].mappings.race: My gender is a mapping",
        ),
        (
            "integrations.0.mappings.race",
            "No",
            "integrations[0].mappings.race: there is no data entity mapping",
        ),
        ("integrations.0.mappings.shoes", "No", "integrations[0].mappings.shoes is not a known key."),
        ("integrations.0.family_identifier", ["Shoe"], "integrations[0].family_identifier[0] must be one of"),
        ("integrations.0.options", {"pages": 1}, "integrations[0].options: Aeries has no option pages."),
        ("integrations.0.schools", ["A9"], "integrations[0].schools: there is no school with the code A9."),
        ("integrations.0.error_owner", "nobody", "integrations[0].error_owner: there is no user 'nobody'."),
        ("integrations.0.field_mapping", "Export", "integrations[0].field_mapping is not supported by this"),
        ("scheduled_jobs", [{"name": "x"}], "scheduled_jobs[0].integration is missing"),
        ("scheduled_jobs", [_job(integration="y")], "scheduled_jobs[0].integration: there is no integration named 'y'"),
        ("scheduled_jobs", [_job(run_as="y")], "scheduled_jobs[0].run_as: there is no user 'y'."),
        ("scheduled_jobs", [_job(hour=None)], "scheduled_jobs[0].hour must be a whole number from 0 to 23."),
        ("scheduled_jobs", [_job(frequency="week")], "scheduled_jobs[0].weekday: Day is required."),
        ("scheduled_jobs", [_job(weekday="Payday")], "scheduled_jobs[0].weekday must be a whole number from 0 to 6."),
        ("data_entity_mappings.4.entity", "shoes", "data_entity_mappings[4].entity must be one of"),
        (
            "data_entity_mappings.5.values.F",
            "Frau",
            "data_entity_mappings[5].values.\"F\": 'Frau' is no gender.",
        ),
        (
            "data_entity_mappings.0.values.110",
            "A9",
            'data_entity_mappings[0].values."110": there is no school',
        ),
        ("academic_years.0.ends", "2026-07-01", "academic_years[0]: The last day must come after"),
        (
            "academic_years.0.starts",
            "1 August",
            "academic_years[0].starts must be a date such as 2026-08-13.",
        ),
        ("schools.1.code", "A1", "schools[1].code: A1 is already the code of schools[0]."),
        ("integrations.0.name", "Ma\x00in", "integrations[0].name holds control characters"),
        ("integrations.0.name", "Main \ud83d", "integrations[0].name holds control characters, or half a character."),
        ("data_entity_mappings.5.values.F\x00", "F", "values: 'F\\x00' or its value holds control characters"),
        ("schools.1.low_grade", "first", "schools[1].low_grade must be one of"),
    ],
)
def test_nothing_is_stored_when_one_thing_is_wrong(path: str, value: Any, words: str) -> None:
    content = a_file()
    change(path, value)(content)

    assert words in refusal(content)
    assert SECRET not in refusal(content)
    assert not School.objects.exists()
    assert not Integration.objects.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "The file is not valid JSON: "),
        ("[]", "The file must be an object in braces."),
        ('{"schools": 1}', "schools must be a list in brackets."),
        ('{"schools": [], "schools": []}', "The key schools stands twice in one object."),
        ('{"schools": [{"name": "x"}]}', "schools[0].code is missing."),
        ('{"schools": [{"code": "x"}]}', "schools[0].name is missing; school x is new."),
        ('{"integrations": [{"name": "x"}]}', "integrations[0].system is missing; the integration x is new."),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_shape_is_refused_with_its_place(text: str, words: str) -> None:
    assert words in refusal(text)


def test_empty_keys_of_later_versions_are_taken() -> None:
    content = a_file()
    content |= {"field_mappings": [], "scheduled_jobs": []}
    content["integrations"][0] |= {"field_mapping": "", "registration_examples": [], "student_examples": None}

    assert store(content)["integrations"][NEW] == 1


def test_family_key_is_refused_when_another_system_is_configured() -> None:
    content = a_file()
    content["integrations"][0] |= {"system": "powerschool", "options": {}}
    content["integrations"][0]["credentials"] = {"consumer_token": "a", "consumer_secret": "b"}

    assert "Family Key is only available for Aeries" in refusal(content)


def test_fields_of_another_system_are_left_empty_and_told() -> None:
    content = a_file()
    content["integrations"][0] |= {"system": "powerschool", "options": {}, "family_identifier": []}
    content["integrations"][0]["credentials"] |= {"consumer_token": "a", "consumer_secret": "b"}

    notes = configure(json.dumps(content), environ={}).notes

    main = Integration.objects.get()
    assert (main.token, main.primary_enrollment_codes, main.consumer_token) == ("", "", "a")
    assert notes == [
        "integrations[0] (Main): Token is no field of PowerSchool, so it is left empty.",
        "integrations[0] (Main): Primary Enrollment Codes is no field of PowerSchool, so it is left empty.",
    ]


def test_system_stays_when_the_integration_has_run() -> None:
    store(a_file())
    SyncRun.objects.create(integration=Integration.objects.get())

    words = refusal({"integrations": [{"name": "Main", "system": "powerschool"}]})

    assert "Main has run with Aeries, so its system cannot change any more." in words


def test_entity_stays_when_the_mapping_exists() -> None:
    store(a_file())

    words = refusal({"data_entity_mappings": [{"name": "My race", "entity": "gender"}]})

    assert "data_entity_mappings[0].entity: My race is a mapping for Race, and that cannot change." in words


def test_academic_year_is_added_when_its_name_tells_it() -> None:
    mapping = {"name": "Years", "entity": "academic_year", "values": {"2026": "2026-2027"}}

    outcome = configure(json.dumps({"data_entity_mappings": [mapping]}), environ={})

    assert str(AcademicYear.objects.get().ends) == "2027-06-30"
    assert "2026-2027 was added" in outcome.notes[0]
    mapping["values"] = {"2026": "this year"}
    assert "there is no academic year 'this year'" in refusal({"data_entity_mappings": [mapping]})


def test_a_school_has_one_sync_connection_when_two_integrations_claim_it() -> None:
    content = a_file()
    content["integrations"].append({**content["integrations"][0], "name": "Second"})
    assert "integrations[1].schools[0]: school A2 already stands in integrations[0]" in refusal(content)

    content["integrations"][1]["schools"] = []
    store(content)
    outcome = configure(json.dumps({"integrations": [{"name": "Second", "schools": ["A2"]}]}), environ={})

    assert SchoolConnection.objects.get().integration.name == "Second"
    assert outcome.notes == ["The sync connection of school A2 moved from Main to Second."]


def test_url_with_a_query_is_left_out_when_exported() -> None:
    content = a_file()
    content["integrations"][0]["url"] = "https://aeries.example.org/x?token=abc"
    store(content)

    assert "abc" not in json.dumps(export())


@pytest.fixture
def a_path(tmp_path: Path) -> Iterator[Path]:
    """Where a file can be put."""
    os.environ["CONFIGURE_TEST_TOKEN"] = "of the environment"
    yield tmp_path / "console.json"
    del os.environ["CONFIGURE_TEST_TOKEN"]


def command(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("configure", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_command_tells_what_it_did_when_the_file_is_good(a_path: Path) -> None:
    content = a_file()
    content["integrations"][0]["credentials"] = {"token": {"env": "CONFIGURE_TEST_TOKEN"}}
    a_path.write_text(json.dumps(content))

    status, said, complained = command(str(a_path))

    assert (status, complained) == (0, "")
    assert "integrations: 1 new, 0 changed, 0 as before" in said
    assert Integration.objects.get().token == "of the environment"
    assert json.loads(command("--export")[1])["integrations"][0]["name"] == "Main"


def test_command_says_one_line_and_exits_2_when_the_file_is_bad(a_path: Path) -> None:
    a_path.write_text('{"integrations": [{"name": "Main", "urll": "x"}]}')

    status, said, complained = command(str(a_path))

    assert (status, said) == (2, "")
    assert complained == "integrations[0].urll is not a known key. Did you mean url?\n"
    assert command(str(a_path.parent / "none.json"))[::2] == (
        2,
        f"{a_path.parent}/none.json cannot be read: No such file or directory.\n",
    )
    a_path.write_bytes(b"\xff\xfe")
    assert command(str(a_path))[::2] == (2, f"{a_path} is not text in UTF-8.\n")
    assert command()[0] == command(str(a_path), "--export")[0] == 2


def test_a_job_is_scheduled_changed_and_comes_out_again() -> None:
    User.objects.create_user("registrar")
    store({**a_file(), "scheduled_jobs": [_job()]})
    nightly = ScheduledJob.objects.get()
    due = nightly.next_run

    again = store({"scheduled_jobs": [_job()]})
    weekly = store({"scheduled_jobs": [{"name": "Nightly", "frequency": "week", "weekday": "friday"}]})

    assert (again["scheduled jobs"][AS_BEFORE], weekly["scheduled jobs"][CHANGED]) == (1, 1)
    nightly.refresh_from_db()
    assert due is not None
    assert (nightly.in_words, nightly.next_run is not None) == ("Every Friday at 02:30", True)
    assert export()["scheduled_jobs"] == [_job(frequency="week", weekday=4)]
