"""Nobody but `app/core/clock.py` asks the system for the time or for chance."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
CLOCK = APP / "core" / "clock.py"
FORBIDDEN = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "asyncio.sleep",
    "random.random",
    "random.uniform",
    "random.choice",
    "random.randint",
    "random.shuffle",
    "random.seed",
}


def _forbidden_calls(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if any(name == bad or name.endswith(f".{bad}") for bad in FORBIDDEN):
                yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize(
    "path", sorted(set(APP.rglob("*.py")) - {CLOCK}), ids=lambda p: str(p.name)
)
def test_time_and_chance_come_from_outside(path: Path) -> None:
    assert list(_forbidden_calls(path.read_text())) == []


def test_the_rule_sees_what_it_forbids() -> None:
    assert list(_forbidden_calls("import time\ntime.sleep(1)")) == [
        "line 2: time.sleep"
    ]
