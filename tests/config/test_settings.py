"""The settings, as an installation with nothing configured and as one that serves others."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from config import keys
from config.logs import CodesOnly
from tests.deploy_check import production_env
from tests.processes import ROOT, manage


def _run(arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, env=env, capture_output=True, text=True, check=False, cwd=ROOT)


def _setting(expression: str, env: dict[str, str]) -> object:
    program = f"import json\nfrom config import settings as s\nprint(json.dumps({expression}))"
    done = _run([sys.executable, "-c", program], env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_own_files_are_private_when_nothing_is_configured(console_env: dict[str, str]) -> None:
    _setting("s.DEBUG", console_env)
    folder = Path(console_env["SIS_VAR_DIR"])

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "broker").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600


def test_keys_stay_the_same_at_the_next_start(console_env: dict[str, str]) -> None:
    assert _setting("s.SECRET_KEY", console_env) == _setting("s.SECRET_KEY", console_env)


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: keys.load_or_create(tmp_path / "keys.json"), range(64)))

    assert all(each == made[0] for each in made)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_given_keys_are_used_when_set(console_env: dict[str, str]) -> None:
    env = {**console_env, "SECRET_KEY": "given", "FIELD_ENCRYPTION_KEYS": "one,two"}

    assert _setting("[s.SECRET_KEY, s.FIELD_ENCRYPTION_KEYS]", env) == ["given", ["one", "two"]]
    assert not (Path(env["SIS_VAR_DIR"]) / "keys.json").exists()


def test_debug_is_off_and_only_this_machine_is_served_when_nothing_is_configured(
    console_env: dict[str, str],
) -> None:
    assert _setting("[s.DEBUG, s.ALLOWED_HOSTS]", console_env) == [False, ["127.0.0.1", "localhost", "[::1]"]]


def test_postgres_and_redis_are_used_when_their_addresses_are_set(console_env: dict[str, str]) -> None:
    env = {**console_env, "DATABASE_URL": "postgres://sis:x@db/sis", "REDIS_URL": "redis://queue/0"}

    assert _setting("s.DATABASES['default']['ENGINE']", env) == "django.db.backends.postgresql"
    assert _setting("s.DATABASES['default']['CONN_HEALTH_CHECKS']", env) is True
    assert _setting("[s.CELERY_BROKER_URL, s.CACHES['default']['LOCATION']]", env) == ["redis://queue/0"] * 2


def test_check_names_what_is_missing_when_others_are_served_without_keys(tmp_path: Path) -> None:
    env = production_env(tmp_path / "var")
    del env["SECRET_KEY"], env["FIELD_ENCRYPTION_KEYS"]

    done = _run(manage("check"), env)

    assert done.returncode == 1
    assert "config.E001" in done.stderr
    assert "config.E002" in done.stderr
    assert not (tmp_path / "var" / "keys.json").exists()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("FIELD_ENCRYPTION_KEYS", "short", "E003"), ("SIS_PUBLIC_URL", "http://sis.example.org", "E004")],
)
def test_check_refuses_what_cannot_work(tmp_path: Path, name: str, value: str, code: str) -> None:
    done = _run(manage("check"), {**production_env(tmp_path / "var"), name: value})

    assert done.returncode == 1
    assert f"config.{code}" in done.stderr


def test_deployment_checks_are_silent_with_production_settings(tmp_path: Path) -> None:
    done = _run(manage("check", "--deploy", "--fail-level", "WARNING"), production_env(tmp_path / "var"))

    assert done.returncode == 0, done.stderr


def test_demo_servers_may_be_reached_when_there_is_a_demo(console_env: dict[str, str]) -> None:
    folder = Path(console_env["SIS_VAR_DIR"])
    folder.mkdir()
    district = {"students": 10, "seed": 1, "vendors": ["a", "b"], "port": 8100}
    (folder / "demo.json").write_text(json.dumps(district))

    assert _setting("s.SIS_ALLOWED_HOSTS", console_env) == ["127.0.0.1:8100", "127.0.0.1:8101"]


@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="about the embedded database")
@pytest.mark.django_db
def test_embedded_database_lets_readers_and_a_writer_work_together() -> None:
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (30000,)
    assert settings.DATABASES["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.django_db
def test_health_is_told_without_signing_in(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_front_door_leads_to_the_sign_in(client: Client) -> None:
    answer = client.get("/", follow=True)

    assert answer.redirect_chain[-1][0].startswith(reverse("admin:login"))
    assert "SIS Console" in answer.content.decode()


@pytest.mark.django_db
def test_no_script_stands_in_a_page(client: Client) -> None:
    policy = client.get(reverse("admin:login")).headers["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.django_db
def test_administrator_lands_on_the_dashboard(client: Client) -> None:
    User.objects.create_superuser("admin", password="a-long-password")

    answer = client.post(reverse("admin:login"), {"username": "admin", "password": "a-long-password"}, follow=True)

    assert answer.redirect_chain[-1][0] == reverse("admin:index")
    assert answer.status_code == 200


@pytest.mark.django_db
def test_fifth_wrong_password_locks_that_person_out_but_nobody_else(client: Client, settings: object) -> None:
    settings.AXES_ENABLED = True  # type: ignore[attr-defined]
    settings.AUTHENTICATION_BACKENDS = [  # type: ignore[attr-defined]
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    for name in ("ann", "bob"):
        User.objects.create_superuser(name, password="right-password")

    def sign_in(name: str, password: str) -> int:
        return client.post(reverse("admin:login"), {"username": name, "password": password}).status_code

    wrong = [sign_in("ann", "wrong") for _ in range(5)]

    assert wrong == [200, 200, 200, 200, 429]
    assert sign_in("ann", "right-password") == 429
    assert sign_in("bob", "right-password") == 302


def test_tables_of_the_queue_are_not_shown_to_staff() -> None:
    shown = {model._meta.app_label for model in admin.site._registry}

    assert shown.isdisjoint({"django_celery_beat", "axes"})


@pytest.mark.parametrize("page", ["auth_user_changelist", "auth_user_add", "auth_group_changelist", "auth_group_add"])
@pytest.mark.django_db
def test_people_pages_open(admin_client: Client, page: str) -> None:
    assert admin_client.get(reverse(f"admin:{page}")).status_code == 200


def test_log_tells_the_place_and_kind_of_an_exception_but_not_its_words() -> None:
    try:
        try:
            raise ValueError("Ada Lovelace, born 1815")
        except ValueError as error:
            raise KeyError("Ada") from error
    except KeyError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "run %s failed", (7,), sys.exc_info())

    line = CodesOnly().format(record)

    assert "run 7 failed" in line
    assert "KeyError" in line
    assert "ValueError" in line
    assert "test_settings.py" in line
    assert "Ada" not in line


def test_log_of_a_failed_task_tells_no_words_either() -> None:
    try:
        raise ValueError("Ada Lovelace")
    except ValueError as error:
        told = {"id": "7", "name": "sync", "exc": repr(error), "traceback": "Ada", "args": "['Ada']"}
        message = "Task %(name)s[%(id)s] raised unexpected: %(exc)s %(traceback)s"
        record = logging.LogRecord("celery", logging.ERROR, __file__, 1, message, (told,), sys.exc_info())

    line = CodesOnly().format(record)

    assert "Task sync[7] raised unexpected: ValueError" in line
    assert "Ada" not in line
