"""A session scope is one transaction: all of it or nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core.database import Database


@pytest.fixture
def numbers(empty_database: Database) -> Database:
    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE numbers (n int PRIMARY KEY)"))
    return empty_database


def _stored(database: Database) -> list[int]:
    with database.session_scope() as session:
        return list(session.execute(text("SELECT n FROM numbers ORDER BY n")).scalars())


def test_success_commits(numbers: Database) -> None:
    with numbers.session_scope() as session:
        session.execute(text("INSERT INTO numbers VALUES (1)"))

    assert _stored(numbers) == [1]


def test_any_error_rolls_everything_back(numbers: Database) -> None:
    with pytest.raises(KeyError), numbers.session_scope() as session:
        session.execute(text("INSERT INTO numbers VALUES (1)"))
        raise KeyError("unrelated")

    assert _stored(numbers) == []


def test_a_violated_constraint_passes_unchanged_and_rolls_back(
    numbers: Database,
) -> None:
    with pytest.raises(IntegrityError), numbers.session_scope() as session:
        session.execute(text("INSERT INTO numbers VALUES (1), (1)"))

    assert _stored(numbers) == []


def test_sessions_run_in_utc_with_both_time_limits(numbers: Database) -> None:
    with numbers.session_scope() as session:
        shown = {
            name: session.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("timezone", "lock_timeout", "statement_timeout")
        }

    assert shown == {
        "timezone": "UTC",
        "lock_timeout": "5s",
        "statement_timeout": "27s",
    }


def test_a_longer_deadline_lasts_for_its_block(numbers: Database) -> None:
    def limit() -> str:
        with numbers.session_scope() as session:
            return str(session.execute(text("SHOW statement_timeout")).scalar_one())

    with numbers.deadline(100):
        inside = limit()

    assert (inside, limit()) == ("90s", "27s")


def test_errors_do_not_show_bound_values(numbers: Database) -> None:
    with pytest.raises(IntegrityError) as caught, numbers.session_scope() as session:
        session.execute(
            text("INSERT INTO numbers SELECT 1 FROM generate_series(1, 2) WHERE :s>''"),
            {"s": "canary-value"},
        )

    assert "canary-value" not in str(caught.value)
