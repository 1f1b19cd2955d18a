"""The same days from the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations.models import SyncRun
from integrations.services import undo_run
from mapping.models import DataEntityMappingValue
from tests.stories.days import enrolled, held, remove
from tests.world import World, roster

COUNTS = {
    "received", "created", "updated", "unchanged", "reopened", "rejected", "inactive", "left", "dropped",
    "withheld_fields",
}  # fmt: skip


def manage(*arguments: Any) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    out, err = StringIO(), StringIO()
    try:
        call_command(*[str(a) for a in arguments], stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{error}"
    return 0, out.getvalue(), err.getvalue()


def told(*arguments: Any) -> tuple[int, dict[str, Any]]:
    """Exit status and the one object a command prints with --json."""
    status, out, err = manage(*arguments, "--json")
    assert err == ""
    assert out.count("\n") == 1
    answer = json.loads(out)
    assert set(answer) == {
        "run", "integration", "kind", "status", "counts", "issues", "plan_hash", "held"
    }  # fmt: skip
    assert set(answer["counts"]) == COUNTS
    counts = answer["counts"]
    if answer["kind"] == "import":
        parts = ("created", "updated", "unchanged", "reopened", "rejected", "inactive", "left")
        assert counts["received"] == sum(counts[name] for name in parts)
    for issue in answer["issues"]:
        assert set(issue) == {"code", "severity", "external_id", "field", "message", "remedy"}
    return status, answer


def test_sync_exits_0_and_tells_the_counts_when_complete(world: World) -> None:
    status, answer = told("sync", "District")
    assert (status, answer["status"], answer["held"]) == (0, "complete", None)
    assert (answer["counts"]["created"], answer["integration"], answer["kind"]) == (60, "District", "import")
    assert len(answer["plan_hash"]) == 64
    status, answer = told("sync", "District")
    assert (status, answer["counts"]["unchanged"]) == (0, 60)


def test_sync_exits_0_and_writes_nothing_when_dry(world: World) -> None:
    status, answer = told("sync", "District", "--dry-run")
    assert (status, answer["status"], answer["counts"]["created"]) == (0, "planned", 60)
    assert json.loads(roster()) == []


def test_sync_exits_3_when_held_and_the_run_command_does_what_the_screens_do(loaded: World) -> None:
    before = roster()
    gone = remove(loaded, 15)
    status, answer = told("sync", "District")
    assert (status, answer["status"], answer["counts"]["dropped"]) == (3, "held", 15)
    assert {"code", "school", "count", "of", "percent", "message"} == set(answer["held"]["reasons"][0])
    number = answer["run"]

    status, shown = told("run", "show", number)
    assert (status, shown) == (0, answer)
    status, out, err = manage("run", "approve", number, "--plan-hash", "0" * 64, "--json")
    assert (status, out) == (1, "")
    assert "plan has changed" in err
    assert roster() == before
    status, answer = told("run", "approve", number, "--plan-hash", answer["plan_hash"])
    assert (status, answer["status"], answer["held"]) == (0, "complete", None)
    assert not any(enrolled(loaded, one) for one in gone)

    status, answer = told("run", "undo", number)
    assert (status, answer["status"], answer["kind"]) == (0, "complete", "undo")
    assert roster() == before
    assert told("run", "show", number)[1]["status"] == "undone"
    status, _, err = manage("run", "undo", number)
    assert (status, err.count("\n")) == (1, 1)


def test_approve_exits_2_when_no_hash_is_given(loaded: World) -> None:
    run, _ = held(loaded)
    status, out, err = manage("run", "approve", run.pk)
    assert (status, out) == (2, "")
    assert "--plan-hash" in err


def test_discard_exits_0_and_writes_nothing(loaded: World) -> None:
    before = roster()
    run, _ = held(loaded)
    status, answer = told("run", "discard", run.pk)
    assert (status, answer["status"]) == (0, "discarded")
    assert roster() == before
    assert manage("run", "discard", run.pk)[0] == 1


def test_adds_and_updates_only_exits_0_and_drops_nobody(loaded: World) -> None:
    run, gone = held(loaded)
    status, answer = told("run", "approve", run.pk, "--plan-hash", run.plan_hash, "--adds-and-updates-only")
    assert (status, answer["counts"]["dropped"]) == (0, 0)
    assert all(enrolled(loaded, one) for one in gone)


def test_sync_exits_4_when_partial(loaded: World) -> None:
    loaded.sis.faults.add("F45", school=loaded.district.real_schools[0].number)
    status, answer = told("sync", "District")
    assert (status, answer["status"]) == (4, "partial")
    assert answer["issues"][0]["code"] == "school_empty"


def test_sync_exits_1_with_one_line_when_it_fails(loaded: World) -> None:
    loaded.sis.faults.add("F18")
    status, out, err = manage("sync", "District", "--json")
    assert status == 1
    assert json.loads(out)["status"] == "failed"
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_sync_exits_1_with_the_code_when_another_run_is_open(loaded: World) -> None:
    from integrations.runs import lease

    run = loaded.begin()
    lease.take(run.pk)
    status, out, err = manage("sync", "District")
    assert (status, out) == (1, "")
    assert "run_open" in err
    assert f"Run {run.pk} " in err


@pytest.mark.parametrize("what", ["undo", "refresh", "one student"])
def test_sync_exits_1_when_the_abandoned_run_is_not_what_it_would_start(loaded: World, what: str) -> None:
    student = loaded.external_id(loaded.settled()[0])
    if what == "undo":
        run = undo_run(run=SyncRun.objects.get(), wake=False)
    else:
        run = loaded.begin(students=[student], ask_first=what == "refresh")

    status, out, err = manage("sync", "District")

    assert (status, out) == (1, "")
    assert "run_open" in err
    run.refresh_from_db()
    assert run.status == "queued"


def test_sync_exits_1_when_the_integration_may_not_import(loaded: World) -> None:
    loaded.set(import_enabled=False)
    status, out, err = manage("sync", "District")
    assert (status, out) == (1, "")
    assert "Import enabled" in err


def test_sync_exits_1_when_the_building_mapping_is_empty(loaded: World) -> None:
    mapping = loaded.integration.building
    DataEntityMappingValue.objects.filter(mapping=mapping).delete()
    status, _, err = manage("sync", "District")
    assert status == 1
    assert "Building mapping" in err


def test_commands_exit_2_when_the_arguments_are_wrong(world: World) -> None:
    assert manage("sync", "Nowhere")[0] == 2
    assert manage("run", "show", 4711)[0] == 2
    assert SyncRun.objects.count() == 0


def test_sync_of_an_unknown_school_fails_and_names_it(loaded: World) -> None:
    status, _, err = manage("sync", "District", "--school", "nowhere")
    assert status == 2
    assert "nowhere" in err
