"""Processes kept running, with small Python programs in the place of the console's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import supervisor
from config.supervisor import Child, Supervisor
from tests.processes import ROOT

ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
PATIENCE_S = 30.0


def _child(name: str, program: str) -> Child:
    return Child(name, [sys.executable, "-c", program], ENV)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _run(children: list[Child], *, until: Callable[[list[str]], bool]) -> list[str]:
    """Supervise until what was said fulfils `until`; everything that was said."""
    said: list[str] = []
    running = Supervisor(children, say=said.append)
    deadline = time.monotonic() + PATIENCE_S

    def tick() -> None:
        assert time.monotonic() < deadline, said
        if until(said):
            running.stop()

    running.run(each_tick=tick)
    return said


FOREVER = "import time; print('here', flush=True); time.sleep(600)"


def test_child_is_started_again_when_it_dies(tmp_path: Path) -> None:
    program = f"import os; open({str(tmp_path / 'starts')!r}, 'a').write('x'); {FOREVER}"
    child = _child("web", program)

    def second_start(said: list[str]) -> bool:
        if said == ["web: here"] and child.process:
            os.kill(child.process.pid, signal.SIGKILL)
        return said.count("web: here") == 2

    said = _run([child], until=second_start)

    assert "web stopped and is started again." in said
    assert (tmp_path / "starts").read_text() == "xx"


def test_last_words_are_told_and_the_rest_goes_on_when_a_child_keeps_dying(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "QUICK_DEATHS", 3)
    broken, sound = _child("worker", "raise SystemExit('no broker')"), _child("web", FOREVER)

    said = _run([broken, sound], until=lambda said: any("3 times" in line for line in said))

    assert "its last words: no broker" in next(line for line in said if "3 times" in line)
    assert said.count("web: here") == 1
    assert not any(line.startswith("web stopped") for line in said)


def test_children_end_in_order_and_finish_what_they_do_when_stopped(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def slow(name: str) -> Child:
        end = f"time.sleep(0.3); open({str(order)!r}, 'a').write({name!r}); sys.exit()"
        return _child(
            name,
            f"import signal, sys, time\ndef end(*_):\n    {end}\n"
            "signal.signal(signal.SIGTERM, end)\nprint('here', flush=True)\ntime.sleep(600)",
        )

    _run([slow("a"), slow("b")], until=lambda said: {"a: here", "b: here"} <= set(said))

    assert order.read_text() == "ab"


def test_child_that_will_not_end_is_ended_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.3)
    deaf = _child("worker", f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}")
    pids: list[int] = []

    def here(said: list[str]) -> bool:
        pids.extend([deaf.process.pid] if deaf.process else [])
        return "worker: here" in said

    said = _run([deaf], until=here)

    assert "goes on at the next start" in said[-1]
    assert not _lives(pids[-1])


def test_what_a_dead_child_started_dies_with_it(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('pool', p.pid, flush=True)\ntime.sleep(600)"
    )
    child = _child("worker", program)
    pool: list[int] = []

    def restarted(said: list[str]) -> bool:
        if not pool and said and child.process:
            pool.append(int(said[0].split()[-1]))
            os.kill(child.process.pid, signal.SIGKILL)
        return sum("pool" in line for line in said) == 2

    _run([child], until=restarted)

    assert not _lives(pool[0])


def test_children_end_when_the_supervisor_is_killed() -> None:
    program = (
        "import os, sys\nfrom config.supervisor import Child, Supervisor\n"
        f"child = Child('web', [sys.executable, '-c', {FOREVER!r}], dict(os.environ))\n"
        "s = Supervisor([child], say=lambda line: print(child.process.pid, flush=True))\ns.run()"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=ENV, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()

    _wait_until(lambda: not _lives(pid))
