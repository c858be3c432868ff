"""No log line repeats the password of a URL, whatever characters it is made of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from app.core.logging import configure_logging

CANARY = "cAn4ry"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    "user_info",
    [f"u:{CANARY}", f"u:p@ss/{CANARY}", f":{CANARY}", f"u:a?{CANARY}@#"],
)
def test_passwords_are_hidden_in_texts_and_tracebacks(
    form: str, user_info: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO", form)  # type: ignore[arg-type]
    log = structlog.get_logger("any")
    url = f"postgresql://{user_info}@host/name"
    try:
        raise ValueError(f"cannot reach {url}")
    except ValueError:
        log.exception("failed", address=url, all=[{"url": url}])

    said = capsys.readouterr().err
    assert CANARY not in said
    assert "cannot reach postgresql://" in said and "@host/name" in said
    assert "Traceback" in said
