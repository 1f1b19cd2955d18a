"""`manage.py up` as people run it: real processes on a free port, in a folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.processes import ROOT, embedded_env, manage

PATIENCE_S = 90.0


@dataclass
class Console:
    """A running `up`."""

    process: subprocess.Popen[str]
    port: int
    env: dict[str, str]
    said: list[str] = field(default_factory=list)

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        """Wait for it; fails with everything `up` said when it does not come or `up` has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, (what, self.said)
            assert self.process.poll() is None, (what, self.said)
            time.sleep(0.05)

    def text(self) -> str:
        return "\n".join(self.said)

    def wait_until_ready(self) -> None:
        self.wait_until(lambda: "Ctrl-C stops everything." in self.text(), "ready")

    def children(self) -> dict[str, int]:
        """Name -> process id of web (gunicorn), worker, beat and sandbox, as they run now."""
        found = {}
        for pid in _children_of(self.process.pid):
            line = Path(f"/proc/{pid}/cmdline").read_text()
            found.update({name: pid for name in ("gunicorn", "worker", "beat", "sandbox") if f"\0{name}\0" in line})
        return found

    def get(self, path: str) -> tuple[int, str]:
        page = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            page.request("GET", path)
            answer = page.getresponse()
            return answer.status, answer.read().decode()
        finally:
            page.close()


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _descendants(pid: int) -> set[int]:
    found = set(_children_of(pid))
    return found.union(*(_descendants(child) for child in found))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextmanager
def running(env: dict[str, str], *arguments: str) -> Iterator[Console]:
    """An `up` that is ready, and is stopped at the end if it still runs."""
    port = free_port()
    command = manage("up", "--port", str(port), *arguments)
    with subprocess.Popen(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        console = Console(process, port, env)
        assert process.stdout is not None
        lines = process.stdout
        reader = threading.Thread(target=lambda: console.said.extend(line.rstrip() for line in _each(lines)))
        reader.start()
        try:
            console.wait_until_ready()
            yield console
        finally:
            # Twice: at once, which is no test's subject.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            reader.join()


def _each(lines: Iterator[str]) -> Iterator[str]:
    yield from lines


def _refusal(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        manage("up", *arguments),
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A first start without the demo, running for all tests that leave it as it was."""
    with running(embedded_env(tmp_path_factory.mktemp("first") / "var"), "--no-demo") as started:
        started.wait_until(lambda: len(started.children()) == 3, "three children")
        yield started


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a console that was started before: a database with the account admin, password "kept"."""
    folder = tmp_path_factory.mktemp("used") / "var"
    env = {**embedded_env(folder), "DJANGO_SUPERUSER_PASSWORD": "kept"}
    subprocess.run(manage("migrate", "-v0"), env=env, check=True)
    create = ["createsuperuser", "--noinput", "--username", "admin", "--email", ""]
    subprocess.run(manage(*create), env=env, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def used_env(used_folder: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a second start, in a folder of its own."""
    shutil.copytree(used_folder, tmp_path / "var")
    return embedded_env(tmp_path / "var")


def test_first_start_prints_where_to_go_and_an_account_that_can_sign_in(console: Console) -> None:
    status, page = console.get("/admin/login/")

    assert status == 200
    assert "SIS Console" in page
    assert f"http://127.0.0.1:{console.port}/" in console.text()
    assert _sign_in(console, "admin", _password(console, "admin"))
    assert "registrar" not in console.text()
    assert "The data are in " in console.text()


def test_second_start_in_the_same_folder_is_refused(console: Console) -> None:
    refusal = _refusal(console.env, "--no-demo", "--port", str(free_port()))

    assert refusal.startswith(f"The console is already running from {console.env['SIS_VAR_DIR']}")
    assert str(console.process.pid) in refusal
    assert refusal.count("\n") == 1


@pytest.mark.parametrize("name", ["gunicorn", "worker", "beat"])
def test_child_comes_back_when_it_is_killed(console: Console, name: str) -> None:
    before = console.children()
    os.kill(before[name], signal.SIGKILL)
    console.wait_until(lambda: console.children().get(name, before[name]) != before[name], f"a new {name}")
    after = console.children()

    assert console.get("/admin/login/")[0] == 200
    assert {other for other in before if before[other] != after[other]} == {name}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_nothing_is_left_running_when_stopped(used_env: dict[str, str], number: signal.Signals) -> None:
    with running(used_env) as console:
        console.wait_until(lambda: len(console.children()) == 3, "three children")
        processes = _descendants(console.process.pid)
        console.process.send_signal(number)
        console.process.wait(PATIENCE_S)

    assert console.process.returncode == 0
    assert console.said[-1] == "Stopped."
    assert [pid for pid in processes if _lives(pid)] == []


def test_everything_ends_when_it_is_killed_and_accounts_stay_at_the_next_start(
    used_env: dict[str, str],
) -> None:
    with running(used_env) as console:
        console.wait_until(lambda: len(console.children()) == 3, "three children")
        processes = _descendants(console.process.pid)
        console.process.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(_lives(pid) for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    with running(used_env) as console:
        assert _sign_in(console, "admin", "kept")
        assert "shown only now" not in console.text()
        assert "changepassword admin" in console.text()


@pytest.mark.skipif(find_spec("integrations.demo") is None, reason="this tree has no demo")
def test_demo_is_the_same_at_the_next_start(console_env: dict[str, str]) -> None:
    with running(console_env) as first:
        passwords = [_password(first, name) for name in ("admin", "registrar")]
        signed_in = [_sign_in(first, "admin", passwords[0]), _sign_in(first, "registrar", passwords[1])]
        first.wait_until(lambda: "sandbox" in first.children(), "the demo's servers")
    remembered = Path(console_env["SIS_VAR_DIR"], "demo.json").read_text()
    with running(console_env) as second:
        second.wait_until(lambda: "sandbox" in second.children(), "the demo's servers")

    assert signed_in == [True, True]
    assert not any(password in second.text() for password in passwords)
    assert Path(console_env["SIS_VAR_DIR"], "demo.json").read_text() == remembered


@pytest.fixture
def postgres_env(console_env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a console on an empty PostgreSQL database of its own, and Redis."""
    url = urlsplit(os.environ["DATABASE_URL"])
    name = f"up_{os.getpid()}"
    with psycopg.connect(url._replace(scheme="postgresql").geturl(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        database = url._replace(path=f"/{name}").geturl()
        yield {**console_env, "DATABASE_URL": database, "REDIS_URL": os.environ["REDIS_URL"]}
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
@pytest.mark.redis
def test_postgres_and_redis_are_used_and_get_no_demo(postgres_env: dict[str, str]) -> None:
    with running(postgres_env) as console:
        assert _sign_in(console, "admin", _password(console, "admin"))
        console.wait_until(lambda: len(console.children()) == 3, "web, worker and beat")

    folder = Path(postgres_env["SIS_VAR_DIR"])
    assert [name for name in ("sis.sqlite3", "broker", "demo.json") if (folder / name).exists()] == []


def test_no_demo_in_a_database_that_is_not_empty(used_env: dict[str, str]) -> None:
    with running(used_env) as console:
        assert not Path(used_env["SIS_VAR_DIR"], "demo.json").exists()
        assert "sandbox" not in console.children()


def test_taken_port_is_named_in_one_sentence(console_env: dict[str, str]) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        refusal = _refusal(console_env, "--no-demo", "--port", str(port))

    assert refusal.startswith(f"Port {port} cannot be used (Address already in use); choose another one: ")
    assert refusal.count("\n") == 1


def test_database_that_does_not_answer_is_named_in_one_sentence(console_env: dict[str, str]) -> None:
    env = {**console_env, "DATABASE_URL": f"postgres://sis@127.0.0.1:{free_port()}/sis"}

    refusal = _refusal(env, "--no-demo", "--port", str(free_port()))

    assert refusal.startswith("The database does not answer: ")
    assert refusal.count("\n") == 1


def _password(console: Console, name: str) -> str:
    found = re.search(rf"^ +{name} +(\S+)", console.text(), re.MULTILINE)
    assert found, console.said
    return found[1]


def _sign_in(console: Console, name: str, password: str) -> bool:
    """Whether the sign-in form takes the password."""
    page = http.client.HTTPConnection("127.0.0.1", console.port, timeout=30)
    page.request("GET", "/admin/login/")
    answer = page.getresponse()
    html = answer.read().decode()
    cookie = str(answer.headers["Set-Cookie"]).split(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    assert token
    page.request(
        "POST",
        "/admin/login/",
        f"csrfmiddlewaretoken={token[1]}&username={name}&password={password}",
        {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"},
    )
    status = page.getresponse().status
    page.close()
    return status == 302
