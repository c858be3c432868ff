"""The settings of the process: loaded once, reloaded on request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import current
from app.config.settings import Settings
from app.core.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(current, "_settings", None)
    monkeypatch.setattr(current, "_loader", None)
    yield


def test_reading_before_loading_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"calls load_config\(\) first"):
        current.get_config()
    with pytest.raises(ConfigurationError, match=r"calls load_config\(\) first"):
        current.reload_config()


def test_what_was_loaded_is_read_back() -> None:
    loaded = current.load_config(environ={"CRYPTO_BOT__REPLAY__SEED": "9"})
    assert current.get_config() is loaded
    assert current.get_nested_config("replay.seed") == 9
    assert current.get_nested_config("strategies.momentum") == (
        Settings().strategies.momentum
    )


def test_a_reload_reads_the_file_again(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("replay: {seed: 1}")
    current.load_config(path, {})
    path.write_text("replay: {seed: 2}")
    assert current.reload_config().replay.seed == 2
    assert current.get_config().replay.seed == 2


def test_a_failed_reload_keeps_the_last_good_settings(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("replay: {seed: 1}")
    current.load_config(path, {})
    for text in ("replay: {seed: -1}", "replay: [", ""):
        path.write_text(text) if text else path.unlink()
        with pytest.raises(ConfigurationError):
            current.reload_config()
        assert current.get_config().replay.seed == 1


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("risk.risk_per_trad", "risk.risk_per_trade"),
        ("collektor", "collector"),
        ("history_bars", "collector.history_bars"),
        ("risk.risk_per_trade.x", "unknown key"),
        ("", "unknown key"),
    ],
)
def test_an_unknown_path_names_the_nearest_key(path: str, nearest: str) -> None:
    current.load_config(environ={})
    with pytest.raises(ConfigurationError, match=nearest):
        current.get_nested_config(path)


def test_importing_the_room_does_not_import_pydantic() -> None:
    code = "import sys, app.config; sys.exit('pydantic' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
