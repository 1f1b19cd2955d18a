"""The settings of the tests: the console's own, with a folder of their own, quick hashes, tasks at once."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folder = tempfile.mkdtemp(prefix="sis-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(SIS_ENV_FILE=os.devnull, SIS_VAR_DIR=_folder)
for _name in ("SIS_PUBLIC_URL", "SIS_ALLOWED_HOSTS", "ALLOWED_HOSTS", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
    os.environ.pop(_name, None)

# Each xdist worker has a Redis database of its own.
_redis = os.environ.get("REDIS_URL", "")
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _redis and _worker:
    os.environ["REDIS_URL"] = f"{_redis.rstrip('/').removesuffix('/0')}/{int(_worker.removeprefix('gw')) + 1}"

from config.settings import *  # noqa: E402, F403
from config.settings import AUTHENTICATION_BACKENDS, CELERY_BROKER_URL, DATABASES, REDIS_URL  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in the real thing: in memory, threads that share the database get "table is locked".
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_folder) / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_BROKER_URL = CELERY_BROKER_URL if REDIS_URL else "memory://"
# force_login and login() carry no request, which the lock-out asks for; its own tests switch it on.
AUTHENTICATION_BACKENDS = [name for name in AUTHENTICATION_BACKENDS if not name.startswith("axes.")]
AXES_ENABLED = False
SIS_QUIET_SECONDS = 0.0
