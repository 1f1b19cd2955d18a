"""The papers tell what there is: settings, commands, connectors, issue codes; their links lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.admin.issue import CODE_LABELS
from integrations.configure_file import CREDENTIALS, ENTITIES
from integrations.connectors.options import COMMON
from integrations.connectors.registry import SYSTEMS
from integrations.connectors.registry import connector_class as connector_of
from integrations.errors import IntegrationError
from tests.architecture.sources import ROOT, modules

PAPERS = [path for top in ("*.md", "docs/**/*.md", "integrations/**/*.md") for path in sorted(ROOT.glob(top))]
WORD = re.compile(r"[a-z]+(_[a-z]+)*")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^\|((?: ?`[a-z_]+`,?)+) \|", re.MULTILINE)


def _text(path: str) -> str:
    return (ROOT / path).read_text()


def _tree(path: str | Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def _settings_read() -> set[str]:
    """The variables that config/settings.py reads."""
    calls = [node for node in ast.walk(_tree("config/settings.py")) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
    }


def _commands() -> list[str]:
    found = (path.stem for path in modules() if path.parent.name == "commands")
    return sorted(name for name in found if name != "__init__")


def _strings(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and WORD.fullmatch(one.value):
            yield one.value


def _codes_of_issues() -> set[str]:
    """What inbound/issues.py gives as `code`, choices between several included."""
    found: set[str] = set()
    for node in ast.walk(_tree("integrations/inbound/issues.py")):
        if isinstance(node, ast.keyword) and node.arg == "code":
            found.update(_strings(node.value))
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
            found.update(key.value for key in node.value.keys if isinstance(key, ast.Constant))  # type: ignore[misc]
    return found


def _codes_of_problems() -> set[str]:
    """What connectors and fetch give as the code of a Problem or a RecordError."""
    found: set[str] = set()
    for path in modules("integrations"):
        for node in ast.walk(_tree(path)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            place = {"Problem": 0, "RecordError": 0, "_note": 1}.get(node.func.id)
            if place is not None and len(node.args) > place:
                argument = node.args[place]
                found.update(_strings(argument) if isinstance(argument, ast.Constant) else ())
    return found


def _told(path: str) -> set[str]:
    """The codes that begin the rows of a paper's tables."""
    return {code for row in CODE.findall(_text(path)) for code in re.findall(r"`([a-z_]+)`", row)}


@pytest.mark.parametrize("name", sorted(_settings_read()))
def test_the_readme_has_a_row_for_every_variable_the_settings_read(name: str) -> None:
    assert f"\n| `{name}` | " in _text("README.md")
    assert name == "SIS_ENV_FILE" or f"#{name}=" in _text(".env.example")


def test_the_readme_names_no_variable_that_nothing_reads() -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", _text("README.md"), re.MULTILINE))

    # The last one is read where requests are made.
    assert rows - _settings_read() == {"REQUESTS_CA_BUNDLE"}


@pytest.mark.parametrize("name", _commands())
def test_every_command_is_told_with_its_options(name: str) -> None:
    paper = _text("docs/commands.md")
    source = next(path for path in modules() if path.parent.name == "commands" and path.stem == name)
    section = paper.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]

    assert f"manage.py {name}" in section
    assert [one for one in re.findall(r'"(--[a-z-]+)"', source.read_text()) if one not in section] == []


def test_every_section_of_the_commands_is_a_command() -> None:
    assert sorted(re.findall(r"^## `(\w+)`$", _text("docs/commands.md"), re.MULTILINE)) == _commands()


def test_the_configure_file_is_told_key_by_key() -> None:
    section = _text("docs/commands.md").partition("\n## `configure`\n")[2].partition("\n## ")[0]
    keys = {key for key in re.findall(r'^ +"(\w+)": ', _text("integrations/configure_file.py"), re.MULTILINE)}

    assert {*keys, *CREDENTIALS, *ENTITIES} - set(re.findall(r"\w+", section)) == set()


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_every_connector_has_a_page_that_names_its_options(system: str) -> None:
    paper = _text(f"docs/connectors/{system}.md")
    folder = f"integrations/connectors/{system}/README.md"

    assert paper.startswith(f"# {SYSTEMS[system][0]}\n")
    assert folder in paper
    for option in {*connector_of(system).check_options({}), *COMMON}:
        assert f"`{option}`" in paper
        assert f"`{option}`" in _text(folder)


def test_every_issue_code_is_told() -> None:
    known = _codes_of_issues() | _codes_of_problems() | set(CODE_LABELS)

    assert len(known) > 20
    assert known - _told("docs/issues.md") == set()


def test_every_reason_a_run_fails_for_is_told() -> None:
    kinds = [IntegrationError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert {kind.code for kind in kinds} - _told("docs/issues.md") == set()


def test_no_code_is_told_that_nothing_gives() -> None:
    every = {word for path in modules("integrations") for word in _strings(_tree(path))}

    assert _told("docs/issues.md") - every == set()


@pytest.mark.parametrize("label", sorted(CODE_LABELS.items()), ids=lambda pair: pair[0])
def test_an_issue_is_called_what_the_screen_calls_it(label: tuple[str, str]) -> None:
    assert f"| `{label[0]}` | {label[1]} | " in _text("docs/issues.md")


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(paper: Path) -> None:
    broken = []
    for link in LINK.findall(paper.read_text()):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (paper.parent / target).resolve() if target else paper
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(link)

    assert broken == []


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
