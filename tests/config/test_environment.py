"""Overrides, short names, secret files and `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.keys import all_keys
from app.config.loader import ConfigLoader
from app.config.settings import Settings
from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe


def load(**environ: str) -> Settings:
    return ConfigLoader(None, environ, dotenv=None).load()


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(**environ)
    return str(refused.value)


def test_values_are_yaml_and_text_is_literal() -> None:
    settings = load(
        CRYPTO_BOT__COLLECTOR__HISTORY_BARS="700",
        CRYPTO_BOT__COLLECTOR__TIMEFRAMES="[1m, 5m, 1h, 4h]",
        CRYPTO_BOT__STRATEGIES__MOMENTUM__ENABLED="false",
        CRYPTO_BOT__DATABASE__PASSWORD="007: [#",
        CRYPTO_BOT__SIMULATION__TAKE_PROFITS="[{r_multiple: 2, fraction: 0.5}]",
    )

    assert settings.collector.history_bars == 700
    assert settings.collector.timeframes[3] is Timeframe.H4
    assert not settings.strategies.momentum.enabled
    assert settings.database.password.get_secret_value() == "007: [#"
    assert settings.simulation.take_profits[0].r_multiple == 2


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("replay: {seed: 1, markets: 11, port: 1111}")
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "\ufeff# note\nexport CRYPTO_BOT__REPLAY__SEED=2\n"
        "CRYPTO_BOT__REPLAY__MARKETS='12'\nDATABASE_PASSWORD='a${b}c'\nOTHER=x\n"
    )
    environ = {"CRYPTO_BOT__REPLAY__SEED": "3"}

    settings = ConfigLoader(path, environ, dotenv=dotenv).load()

    assert (settings.replay.seed, settings.replay.markets) == (3, 12)
    assert settings.replay.port == 1111
    assert settings.database.password.get_secret_value() == "a${b}c"


def test_short_names_yield_to_full_names() -> None:
    assert load(EXCHANGE_ID="binance").exchange.id == "binance"
    settings = load(EXCHANGE_ID="binance", CRYPTO_BOT__EXCHANGE__ID="replay")
    assert settings.exchange.id == "replay"
    assert load(EXCHANGE_ID="", DATABASE_URL="").exchange.id == "replay"


@pytest.mark.parametrize(
    ("content", "password"),
    [
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        ("two\n\n", "two\n"),
        (" spaced ", " spaced "),
    ],
)
def test_a_secret_file_loses_one_line_end(
    content: str, password: str, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content.encode())

    for name in ("DATABASE_PASSWORD_FILE", "CRYPTO_BOT__DATABASE__PASSWORD_FILE"):
        settings = load(**{name: str(path)})
        assert settings.database.password.get_secret_value() == password


def test_a_missing_secret_file_names_variable_and_path() -> None:
    text = refusal(DATABASE_URL_FILE="/nowhere/url")
    assert "DATABASE_URL_FILE: cannot read /nowhere/url" in text


def test_a_variable_and_its_file_form_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("postgresql://a@b/c")
    text = refusal(DATABASE_URL="postgresql://d@e/f", DATABASE_URL_FILE=str(path))
    assert "set by both DATABASE_URL and DATABASE_URL_FILE" in text


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("CRYPTO_BOT__COLLECTOR__HISTROY_BARS", "5", "mean collector.history_bars?"),
        ("CRYPTO_BOT__RISK", "5", "risk is a section; set one of its keys"),
        ("CRYPTO_BOT__", "5", "unknown key"),
        ("CRYPTO_BOT__FILTER__SYMBOLS", "[a", "not a YAML value"),
        ("CRYPTO_BOT__FILTER__SYMBOLS", "BTC/USDT", "'BTC/USDT' is not a list"),
        ("CRYPTO_BOT__REPLAY__SEED", "seven", "(from CRYPTO_BOT__REPLAY__SEED)"),
        ("CRYPTO_BOT__REPLAY__FAULTS__KIND", "html", "unknown key"),
        ("DATABASE_URL", "a\udc80", "DATABASE_URL: the value is not UTF-8 text"),
    ],
)
def test_a_refused_variable_is_named(name: str, value: str, named: str) -> None:
    text = refusal(**{name: value})
    assert name in text and named in text


def test_run_plumbing_is_not_configuration() -> None:
    assert load(CRYPTO_BOT_RUN_ID="1", CRYPTO_BOT_DATA="x", PATH="/bin") == Settings()


def test_every_key_outside_lists_has_a_variable_that_sets_it() -> None:
    for key in all_keys().values():
        for name in key.environment_names:
            text = "CANARY" if key.is_text else "{not: 'valid'}"
            try:
                settings = load(**{name: text})
            except ConfigurationError as error:
                assert key.path in str(error) and name in str(error)
            else:
                assert settings != Settings(), name
