"""The binary COPY codec against PostgreSQL itself."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.database import Database
from app.models.binary_copy import (
    FLOAT8,
    INT4,
    PG_EPOCH_US,
    TIMESTAMPTZ,
    blank_tuples,
    copy_in,
    copy_out,
    decode,
    encode,
)
from app.models.bars import from_microseconds, to_microseconds
from tests.models.factories import T0

FIELDS = [("a", INT4), ("b", FLOAT8), ("c", TIMESTAMPTZ)]
QUERY = (
    "SELECT a, b, c FROM (VALUES (%s::int, %s::float8, %s::timestamptz)) AS v (a, b, c)"
)


def test_values_of_the_server_are_read_exactly(database: Database) -> None:
    with database.session_scope() as session:
        rows = copy_out(session, QUERY, (-7, 0.1, T0), FIELDS)
    assert rows["a"].tolist() == [-7]
    assert rows["b"].tolist() == [0.1]
    assert from_microseconds(int(rows["c"][0]) + PG_EPOCH_US) == T0


def test_the_server_reads_what_is_written(database: Database) -> None:
    tuples = blank_tuples(FIELDS, 3)
    tuples["a"] = [1, 2, -3]
    tuples["b"] = [0.1, -0.0, 1e308]
    tuples["c"] = to_microseconds(T0) - PG_EPOCH_US
    with database.session_scope() as session:
        session.connection().exec_driver_sql(
            "CREATE TEMP TABLE t (a int, b float8, c timestamptz)"
        )
        chunks = [tuples[:1], tuples[1:1], tuples[1:]]
        assert copy_in(session, "t", ["a", "b", "c"], chunks) == 3
        rows = session.connection().exec_driver_sql("SELECT * FROM t ORDER BY a").all()
    assert [tuple(row) for row in rows] == [
        (-3, 1e308, T0),
        (1, 0.1, T0),
        (2, -0.0, T0),
    ]


def test_quotes_in_parameters_stay_values(database: Database) -> None:
    hostile = "x'); DROP TABLE t; -- \\ %s"
    with database.session_scope() as session:
        rows = copy_out(session, "SELECT length(%s)", (hostile,), [("n", INT4)])
    assert rows["n"].tolist() == [len(hostile)]


def test_a_null_is_refused(database: Database) -> None:
    with database.session_scope() as session:
        with pytest.raises(ValueError, match="binary COPY"):
            copy_out(session, QUERY, (None, 0.1, T0), FIELDS)


@pytest.mark.parametrize("cut", [0, 1, 2, 30])
def test_a_truncated_stream_is_refused(cut: int) -> None:
    stream = b"".join(encode([blank_tuples(FIELDS, 2)]))
    assert len(decode(stream, FIELDS)) == 2
    with pytest.raises(ValueError, match="binary COPY"):
        decode(stream[: len(stream) - cut - 1], FIELDS)


def test_no_rows_are_a_stream_too() -> None:
    assert len(decode(b"".join(encode([])), FIELDS)) == 0
    assert np.dtype(INT4).itemsize == 4
