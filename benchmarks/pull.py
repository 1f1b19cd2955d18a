"""An import's cost as ratios: G1 unchanged, G2 one percent, G3 first load, G7 memory, G8 statements.

python -m benchmarks.pull [--students N] [--repeats K], in a database of its own: a temporary SQLite file, or
one beside the database of DATABASE_URL when that is PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.database import own_database


def main() -> None:
    """Measure and print a table; what misses its goal is marked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="also compare peak memory at 10,000 and 100,000")
    parser.add_argument("--peak", type=int, help="internal: print the peak memory of a first and a second pull")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with own_database():
        import django

        django.setup()
        if options.peak:
            print(*_peak(options.peak))
            return
        _speed(options.students, options.repeats)
        if options.memory:
            _memory()
        from django.db import connections

        connections.close_all()


def _speed(students: int, repeats: int) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from benchmarks import console, limits
    from benchmarks.vendor import vendor
    from integrations.models import Change

    print(f"\n{console.engine()}, {students} students with 2 contacts each, {repeats} repeats")
    first, write, read, same, percent = [], [], [], [], []
    pages = changed_rows = changes = 0
    statements: dict[str, float] = {}
    with vendor("aeries", students=students) as sis:
        for repeat in range(repeats):
            console.fresh_database()
            integration = console.integration_for(sis)
            run, seconds = console.pull(integration)
            first.append(seconds)
            write.append(limits.write_again())
            pages = run.pages.count()
            for _ in range(2):
                read.append(limits.read_and_decode(sis))
                run, seconds = console.pull(integration)
                assert run.counts["unchanged"] == run.counts["received"], run.counts
                same.append(seconds)
            told = sis.change_percent(1, seed=repeat)
            before = Change.objects.count()
            run, seconds = console.pull(integration)
            assert run.counts["updated"] == told, (run.counts, told)
            changes, changed_rows = told, Change.objects.count() - before
            percent.append(seconds)
        connection.force_debug_cursor = True
        for name, prepare in (("unchanged", None), ("1 % changed", 99), ("first load", 0)):
            if prepare == 0:
                console.fresh_database()
                integration = console.integration_for(sis)
            elif prepare:
                sis.change_percent(1, seed=prepare)
            with CaptureQueriesContext(connection) as queries:
                console.pull(integration)
            control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
            sent = sum(not query["sql"].startswith(control) for query in queries.captured_queries)
            statements[name] = sent / pages
    _row("G1 unchanged / (requests + json.loads)", same, read, 1.0 if console.engine() == "PostgreSQL" else 0.7)
    _row("G2 1 % changed / (requests + json.loads)", percent, read, 1.25)
    _row("G3 first load / writing the same rows", first, write, 6.0)
    print(f"G8 changes written / students changed   {changed_rows / changes:.2f}  (goal 1.00)")
    for name, count in statements.items():
        print(f"G8 statements a page, {name:<18} {count:.1f}  (goal 12)")


def _row(name: str, ours: Sequence[float], baseline: Sequence[float], goal: float) -> None:
    base = statistics.median(baseline)
    ratios = sorted(value / base for value in ours)
    print(
        f"{name:<42} {statistics.median(ratios):.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f}; goal {goal}; "
        f"{statistics.median(ours):.2f} s / {base:.2f} s)"
    )


def _memory() -> None:
    peaks = {}
    for students in (10_000, 100_000):
        told = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.pull", "--peak", str(students)],
            check=True,
            capture_output=True,
            text=True,
        )
        peaks[students] = [int(part) for part in told.stdout.split()[-2:]]
    for position, name in enumerate(("first load", "unchanged")):
        small, large = peaks[10_000][position], peaks[100_000][position]
        print(f"G7 peak memory 100,000 / 10,000, {name:<10} {large / small:.2f}  (goal 1.15; {small} / {large} MB)")


def _peak(students: int) -> tuple[int, int]:
    from benchmarks import console
    from benchmarks.vendor import vendor

    with vendor("aeries", students=students) as sis:
        console.fresh_database()
        integration = console.integration_for(sis)
        peaks = []
        for _ in range(2):
            console.pull(integration)
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return peaks[0], peaks[1]


if __name__ == "__main__":
    main()
