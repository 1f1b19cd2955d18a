"""A system's own codes beside a mapping: what is suggested, what saving does, and how far each entity is mapped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.code_inbox import map_codes
from integrations.code_lists import accept, compare, coverage, fetch_codes, suggestions
from integrations.errors import RunRefused
from integrations.models import SyncRun, UnmappedCode
from mapping.models import DataEntityMapping, DataEntityMappingValue
from mapping.suggest import Suggestion
from students.codes import NOT_STATED
from students.models import Student
from tests.factories.integrations import (
    IntegrationFactory,
    RecordIssueFactory,
    SyncRunFactory,
    UnmappedCodeFactory,
)
from tests.factories.mapping import mapping_of
from tests.factories.students import SchoolFactory
from tests.world import World, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> Iterator[World]:
    """An Aeries district that was not imported yet."""
    with a_world("aeries", students=30) as made:
        yield made


def mapping(world: World, entity: str) -> DataEntityMapping:
    """The world's mapping of an entity."""
    found = getattr(world.integration, entity)
    assert isinstance(found, DataEntityMapping)
    return found


def stored(one: DataEntityMapping) -> dict[str, str]:
    """What a mapping holds."""
    return dict(one.values.values_list("external_value", "value"))


def proposed(world: World, entity: str) -> dict[str, Suggestion | None]:
    """Code → suggestion, of an emptied mapping beside the system."""
    one = mapping(world, entity)
    one.values.all().delete()
    return {p.code.code: p.suggestion for p in compare(one, integration=world.integration).proposals}


@pytest.mark.parametrize("entity", ["gender", "ethnicity", "race", "grade_level", "language", "relationship"])
def test_every_code_of_aeries_is_suggested_as_it_should_be_mapped(world: World, entity: str) -> None:
    right = stored(mapping(world, entity))

    found = proposed(world, entity)

    values = {code: one.value for code, one in found.items() if one and one.value}
    assert {code: values[code] for code in values.keys() & right.keys()} == {
        code: right[code] for code in values.keys() & right.keys()
    }
    assert len(values) >= 0.7 * len(found)


def test_schools_are_suggested_by_code_then_by_name() -> None:
    with a_world("powerschool", students=10) as world:
        one = mapping(world, "building")
        one.values.all().delete()
        first, second = world.district.real_schools[:2]
        SchoolFactory._meta.model.objects.all().delete()
        SchoolFactory.create(code=str(first.number), name=first.name)
        SchoolFactory.create(code="HQ2", name=second.name)

        found = {p.code.code: p.suggestion for p in compare(one, integration=world.integration).proposals}

    assert found[str(first.number)] == Suggestion(str(first.number), "The code is ours, same name")
    assert found[str(second.number)] == Suggestion("HQ2", "Same name")


def test_powerschool_tells_races_with_their_federal_category() -> None:
    with a_world("powerschool", students=10) as world:
        found = proposed(world, "race")
        ethnicities = proposed(world, "ethnicity")
        languages = fetch_codes(world.integration, ["language"])

    assert {code: one.value for code, one in found.items() if one} == {
        "AI": "american_indian", "AS": "asian", "BL": "black", "FI": "asian", "PI": "pacific_islander",
        "WH": "white", "UN": NOT_STATED,
    }  # fmt: skip
    assert ethnicities["YES"] == Suggestion("hispanic", "Known code (PowerSchool Ethnicity), same description")
    assert languages == {"language": None}


@pytest.mark.parametrize(
    ("vendor", "entities"),
    [
        ("illuminate", ("gender", "ethnicity", "race", "grade_level", "language", "relationship")),
        ("oneroster", ("gender", "ethnicity", "race", "grade_level", "relationship")),
        ("powerschool_query", ("relationship", "state")),
        ("schooltool", ()),
    ],
)
def test_lists_of_a_system_lead_to_the_values_its_codes_have(vendor: str, entities: tuple[str, ...]) -> None:
    with a_world(vendor, students=20) as world:
        for entity in ("building", *entities):
            right = stored(mapping(world, entity))
            found = proposed(world, entity)
            if (vendor, entity) == ("illuminate", "grade_level"):
                # The district's preschool; its Illuminate calls it Pre-Kindergarten.
                assert right.pop("15") == "PR"
            values = {code: one.value for code, one in found.items() if one and one.value and code in right}
            assert values == {code: right[code] for code in values}, entity
            assert len(values) >= 0.7 * len(found.keys() & right.keys()) > 0, entity
        others = set(mapped_entities(world)) - {"building", "academic_year", *entities}
        assert set(fetch_codes(world.integration, others).values()) <= {None}


def mapped_entities(world: World) -> list[str]:
    """The entities the world's integration has mappings for."""
    return [one.entity for one in coverage(world.integration) if one.mapping is not None]


def test_school_years_are_suggested_though_the_mapping_is_empty_yet(world: World) -> None:
    years = mapping_of("academic_year", {})
    world.set(academic_year=years)
    world.sync()

    found = compare(years, integration=world.integration)

    assert Suggestion("2026-2027", "Same description") in [one.suggestion for one in found.proposals]


def test_mapping_beside_the_list_tells_what_is_doubtful_and_what_is_gone(world: World) -> None:
    one = mapping(world, "gender")
    one.values.filter(external_value="M").update(value="F")
    DataEntityMappingValue.objects.create(mapping=one, external_value="Z", value="X")

    found = compare(one, integration=world.integration)

    assert (found.has_list, found.listed, found.known, found.proposals) == (True, 4, 4, [])
    assert found.doubtful == ["“M” (Male) is mapped to Female; it could be Male."]
    assert found.gone == ["Z"]


def test_codes_no_longer_in_use_come_last_and_count_as_no_gap(world: World) -> None:
    one = mapping(world, "race")
    one.values.filter(external_value__in=["302", "100"]).delete()

    found = compare(one, integration=world.integration)
    lists = fetch_codes(world.integration, ["race"])
    missing = {c.entity: c.missing for c in coverage(world.integration, lists=lists)}["race"]

    assert [(p.code.code, p.code.retired) for p in found.proposals][-1] == ("302", True)
    assert "302" not in missing
    assert "100" in missing


def test_nothing_in_the_mapping_is_overwritten_when_values_are_accepted() -> None:
    one = mapping_of("gender", {"F": "X"})

    added, told = accept(one, chosen={"F": "F", " M ": "M", "N": "X"}, wake=False)

    assert (added, told.runs, stored(one)) == (2, [], {"F": "X", "M": "M", "N": "X"})
    assert accept(one, chosen={"M": "F"}, wake=False)[0] == 0
    assert stored(one)["M"] == "M"


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [({"M": "M", "Q": "purple"}, "Choose one of our values for “Q”"), ({"x" * 121: "M"}, "longer than 120")],
)
def test_nothing_is_saved_when_one_row_does_not_fit(chosen: dict[str, str], sentence: str) -> None:
    one = mapping_of("gender", {})

    with pytest.raises(RunRefused, match=sentence):
        accept(one, chosen=chosen, wake=False)

    assert stored(one) == {}


def test_students_who_waited_are_imported_once_when_a_suggestion_is_accepted(world: World) -> None:
    gender = mapping(world, "gender")
    gender.values.filter(external_value__in=["F", "M"]).delete()
    world.sync()
    codes = {p.code.code: p for p in compare(gender, integration=world.integration).proposals}
    assert codes["F"].students > 0

    added, told = accept(gender, chosen={"F": "F", "M": "M"}, wake=False)
    run = world.carry(told.runs[0])
    again = world.sync()

    assert (added, len(told.runs), told.waiting, run.counts["dropped"]) == (2, 1, [], 0)
    assert not UnmappedCode.objects.filter(entity="gender").exists()
    assert not Student.objects.filter(gender="").exists()
    assert (again.counts["updated"], again.counts["created"]) == (0, 0)


def test_several_codes_of_the_inbox_begin_one_import() -> None:
    integration = IntegrationFactory.create(gender=mapping_of("gender", {}), race=mapping_of("race", {}))
    run = SyncRunFactory.create(integration=integration)
    RecordIssueFactory.create(run=run, external_id="9001", raw_code="Q")
    RecordIssueFactory.create(run=run, external_id="9002", raw_code="W", entity="race")
    first = UnmappedCodeFactory.create(integration=integration, value="Q")
    second = UnmappedCodeFactory.create(integration=integration, value="W", entity="race")

    told = map_codes({first: "X", second: "white"}, wake=False)

    assert [run.scope_students for run in told.runs] == [["9001", "9002"]]
    assert SyncRun.objects.filter(status="queued").count() == 1


def test_no_code_is_mapped_when_one_of_several_does_not_fit() -> None:
    integration = IntegrationFactory.create(gender=mapping_of("gender", {}))
    first, second = (UnmappedCodeFactory.create(integration=integration, value=code) for code in "QR")

    with pytest.raises(RunRefused):
        map_codes({first: "X", second: "purple"}, wake=False)

    assert stored(integration.gender) == {}


def test_ignored_code_counts_as_blank_and_is_asked_about_again_when_it_is_taken_out(world: World) -> None:
    gender = mapping(world, "gender")
    gender.values.filter(external_value="F").delete()
    world.sync()
    code = UnmappedCode.objects.get(entity="gender", value="F")

    run = world.carry(map_codes({code: NOT_STATED}, wake=False).runs[0])
    again = world.sync()

    assert (run.status, run.counts["dropped"], again.counts["updated"]) == ("complete", 0, 0)
    assert not UnmappedCode.objects.filter(entity="gender").exists()
    assert set(Student.objects.values_list("gender", flat=True)) <= {"", "M", "X"}
    gender.values.filter(external_value="F").delete()
    world.sync()
    assert UnmappedCode.objects.filter(entity="gender", value="F").exists()


def test_inbox_suggests_by_the_code_alone() -> None:
    integration = IntegrationFactory.create(system="powerschool")
    known = UnmappedCodeFactory.create(integration=integration, entity="relationship", value="Step-Mother")
    unknown = UnmappedCodeFactory.create(integration=integration, entity="gender", value="Q")

    found = suggestions([known, unknown])

    assert found[known.pk].value == "stepmother"
    assert unknown.pk not in found


def test_coverage_tells_in_words_what_is_left(world: World) -> None:
    world.set(race=None)
    gender = mapping(world, "gender")
    gender.values.filter(external_value="F").delete()
    world.sync()

    told = {one.entity: one for one in coverage(world.integration)}
    mapping(world, "building").values.filter(external_value=str(world.district.real_schools[0].number)).delete()
    lists = fetch_codes(world.integration, ["gender", "language", "building"])
    asked = {one.entity: one for one in coverage(world.integration, lists=lists)}

    assert told["gender"].told == "1 code met in students without a value: “F”."
    assert told["gender"].students == told["gender"].waiting["F"] > 0
    assert told["race"].told == "No mapping is chosen, so this is not imported."
    assert told["academic_year"].told.startswith("No mapping is chosen, and none is needed")
    assert told["building"].told == "Every code met so far has a value."
    assert asked["gender"].told.endswith("1 code of the system's list without one: “F”.")
    assert (asked["gender"].listed, asked["gender"].unmapped) == (4, 1)
    assert "left out of the import: " in asked["building"].told
    assert asked["language"].told == "Complete: every code of the system's list has a value."
