"""What is installed is pinned and hashed, and names no package host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

FILES = sorted((ROOT / "requirements").glob("*.txt"))
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _pinned(path: Path) -> dict[str, str]:
    """Normalised name -> version of every requirement of a file."""
    return {
        match[1].lower().replace("_", "-"): match[2]
        for match in re.finditer(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    }


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower().replace("_", "-") for line in requirements}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_requirement_file_names_no_host(path: Path) -> None:
    assert "://" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")

    assert [line for line in text.splitlines() if line.strip() and not re.search(r"==.*--hash=sha256:", line)] == []


def test_no_lock_file_that_records_hosts() -> None:
    assert not [name for name in ("uv.lock", "package-lock.json", "poetry.lock") if (ROOT / name).exists()]


def test_what_is_declared_is_what_is_pinned() -> None:
    run, test, check = (_pinned(ROOT / f"requirements/{name}.txt") for name in ("run", "test", "check"))
    extras = DECLARED["optional-dependencies"]

    assert _names(DECLARED["dependencies"]) <= run.keys()
    assert _names(extras["test"]) <= test.keys()
    assert _names(extras["check"]) <= check.keys()


def test_each_set_holds_the_one_before_at_the_same_versions() -> None:
    run, test, check = (_pinned(ROOT / f"requirements/{name}.txt") for name in ("run", "test", "check"))

    assert run.items() <= test.items() <= check.items()
