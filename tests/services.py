"""`python -m tests.services`: do the PostgreSQL and the Redis of the environment answer?

Exit status 0 when both do; else 1, with a sentence.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Say it, and return the exit status."""
    database, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    if not database and not redis_url:
        print("DATABASE_URL and REDIS_URL are not set: PostgreSQL and Redis are left out.")
        return 1
    problems = [
        f"{name}: {error}"
        for name, error in (("DATABASE_URL", ask_postgres(database)), ("REDIS_URL", ask_redis(redis_url)))
        if error
    ]
    for problem in problems:
        print(f"PostgreSQL and Redis are left out. {problem}", file=sys.stderr)
    return 1 if problems else 0


def ask_postgres(url: str) -> str:
    """Why the database cannot be used; "" when it can."""
    import psycopg

    try:
        with psycopg.connect(url.replace("postgres://", "postgresql://", 1), connect_timeout=5):
            return ""
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0] if url else "not set, but REDIS_URL is"


def ask_redis(url: str) -> str:
    """Why Redis cannot be used; "" when it can."""
    import redis

    if not url:
        return "not set, but DATABASE_URL is"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5) as client:
            client.ping()
            return ""
    except (redis.RedisError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
