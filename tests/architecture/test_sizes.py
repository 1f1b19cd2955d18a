"""No file that everybody adds to."""

from __future__ import annotations

from tests.architecture.sources import ROOT, modules

MOST_LINES = 500
MOST_LINES_OF_TESTS = 600


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules("config", "students", "mapping", "integrations", "tests")
        if (lines := len(path.read_text().splitlines()))
        > (MOST_LINES_OF_TESTS if "tests" in path.parts else MOST_LINES)
    }

    assert not long
