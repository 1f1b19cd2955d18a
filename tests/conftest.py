"""What every test may ask for: environments for real processes, a browser; and who skips where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.processes import embedded_env

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


def _why_not(marker: str) -> str:
    """Why a test with this marker cannot run here; "" when it can."""
    if marker == "browser" and not CHROMIUM:
        return "there is no Chromium on this machine"
    if marker == "postgres" and "postgresql" not in settings.DATABASES["default"]["ENGINE"]:
        return "DATABASE_URL names no PostgreSQL"
    if marker == "redis" and not settings.REDIS_URL:
        return "REDIS_URL is not set"
    return ""


def _must_run(marker: str) -> bool:
    """Whether a skip is a failure: in CI, where everything the test needs was set up for this pass."""
    if os.environ.get("SIS_CI", "") in ("", "0"):
        return False
    return marker == "browser" or bool(os.environ.get("DATABASE_URL")) and bool(os.environ.get("REDIS_URL"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, saying why."""
    for marker in ("browser", "postgres", "redis"):
        if item.get_closest_marker(marker) and (reason := _why_not(marker)):
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped browser, PostgreSQL or Redis test is a failure."""
    report = yield
    marked = [name for name in ("browser", "postgres", "redis") if item.get_closest_marker(name)]
    if report.skipped and not hasattr(report, "wasxfail") and any(_must_run(name) for name in marked):
        report.outcome = "failed"
        report.longrepr = f"SIS_CI is set and this {' and '.join(marked)} test was skipped: {report.longrepr}"
    return report


@pytest.fixture
def console_env(tmp_path: Path) -> dict[str, str]:
    """The environment of a console of its own: embedded, in a temporary folder, for real processes."""
    return embedded_env(tmp_path / "var")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium (a Playwright Browser) for tests marked `browser`."""
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()
