"""The source files of the console, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("config", "students", "mapping", "integrations")


def modules(*folders: str) -> Iterator[Path]:
    """Every Python file of the folders (of all packages without one), migrations left out, in order."""
    for folder in folders or PACKAGES:
        yield from (p for p in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in p.parts)


def name_of(path: Path) -> str:
    """`students.models.school` of students/models/school.py; a package's name of its __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Every module the file imports, wherever in it, in full; of `from a import b` a and a.b."""
    found: set[str] = set()
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def uses(path: Path, *names: str) -> set[str]:
    """Which of the names, or modules below them, the file imports."""
    return {m for m in imports_of(path) if any(m == name or m.startswith(f"{name}.") for name in names)}
