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
from integrations.inbound.issues import NOTICE_REMEDIES, PROBLEM_REMEDIES, RECORD_REMEDIES
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


MAKERS = {"Problem": 0, "RecordError": 0, "_note": 1, "note": 0}
"""What makes a Problem or a RecordError → the place of the code among its arguments."""


def _codes_of_problems(*makers: str) -> set[str]:
    """What connectors, parsing and fetch give these makers, or all of them, as the code."""
    found: set[str] = set()
    trees = [_tree(path) for path in modules("integrations")]
    constants = {name: codes for tree in trees for name, codes in _assigned(tree).items() if name.isupper()}
    for tree in trees:
        names = constants | _assigned(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            maker = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = MAKERS.get(maker) if not makers or maker in makers else None
            if place is None or len(node.args) <= place:
                continue
            code = node.args[place]
            if isinstance(code, ast.Name):
                found |= names.get(code.id, set())
            elif isinstance(code, ast.Constant | ast.IfExp):
                found.update(_strings(code))
    return found


def _assigned(tree: ast.Module) -> dict[str, set[str]]:
    """Name → the codes a module assigns to it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.IfExp)):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, set()).update(_strings(node.value))
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


def test_every_issue_code_has_a_name_on_screen() -> None:
    assert (_codes_of_issues() | _codes_of_problems()) - set(CODE_LABELS) == set()


def test_every_issue_code_has_a_remedy_of_its_own() -> None:
    assert _codes_of_problems("Problem", "_note", "note") - {*PROBLEM_REMEDIES, *NOTICE_REMEDIES} == set()
    assert _codes_of_problems("RecordError") - set(RECORD_REMEDIES) == set()
    calls = [node for node in ast.walk(_tree("integrations/inbound/issues.py")) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Found"]
    assert made
    for call in made:
        remedy = next(word.value for word in call.keywords if word.arg == "remedy")
        assert not isinstance(remedy, ast.Constant) or remedy.value


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
