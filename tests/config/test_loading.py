"""What a configuration file and the environment become."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from app.config.loader import ConfigLoader
from app.config.settings import Settings
from app.core.exceptions import ConfigurationError, ExitCode
from app.domain.timeframe import Timeframe
from tests.config.mutations import EXAMPLE, Mutation, mutations

ALL_MUTATIONS = list(mutations())


def load(path: Path | None, **environ: str) -> Settings:
    return ConfigLoader(path, environ, dotenv=None).load()


def test_the_example_loads_to_the_defaults() -> None:
    assert load(EXAMPLE) == Settings()


def test_values_of_every_kind_are_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "exchange: {id: binance, budget_share: 1e-1}\n"
        "collector: {timeframes: [1m, 5m, 1h, 4h, 1M]}\n"
        "simulation: {fee_rate: 0.00075}\n"
        "replay: {start: 2025-01-06T01:00:00+01:00, seed: 1_000}\n"
        "filter:\n"
    )

    settings = load(path)

    assert settings.exchange.id == "binance"
    assert settings.exchange.budget_share == 0.1
    assert settings.collector.timeframes[-1] is Timeframe.MN1
    assert settings.simulation.fee_rate == Decimal("0.00075")
    assert settings.replay.start == datetime(2025, 1, 6, tzinfo=timezone.utc)
    assert settings.replay.seed == 1000
    assert settings.filter == Settings().filter


@pytest.mark.parametrize(
    "mutation", ALL_MUTATIONS, ids=lambda mutation: f"{mutation.key}-{mutation.kind}"
)
def test_every_single_fault_is_refused_by_name(
    mutation: Mutation, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    top = mutation.key.partition(".")[0]  # the other sections keep their defaults
    path.write_text(yaml.safe_dump({top: mutation.data[top]}, sort_keys=False))

    with pytest.raises(ConfigurationError) as refused:
        load(path)

    lines = str(refused.value).splitlines()[1:]
    assert any(line.strip().startswith(mutation.key) for line in lines)
    if mutation.kind == "renamed":
        assert f"did you mean {mutation.key[:-1]}?" in str(refused.value)


def test_all_problems_arrive_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "collector: {histroy_bars: 5}\nrisk: {risk_per_trade: 2}\nhistory_bars: 3\n"
    )

    with pytest.raises(ConfigurationError) as refused:
        load(path, CRYPTO_BOT__COLECTOR__POLL_SECONDS="5", EXCHANGE_ID="Not An Id")

    assert refused.value.exit_code == ExitCode.CONFIGURATION
    text = str(refused.value)
    assert (
        "collector.histroy_bars: unknown key; did you mean collector.history_bars?"
        in text
    )
    assert "risk.risk_per_trade: 2 is above the bound 0.2" in text
    assert "history_bars: unknown key; did you mean collector.history_bars?" in text
    assert "CRYPTO_BOT__COLECTOR__POLL_SECONDS: colector.poll_seconds" in text
    assert "exchange.id (from EXCHANGE_ID): 'Not An Id' does not match" in text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "strategies: {momentum: {macd_fast: 26}}",
            "strategies.momentum.macd_fast: 26 is not below "
            "strategies.momentum.macd_slow (26)",
        ),
        (
            "strategies: {momentum: {trend_fast: 60}}",
            "strategies.momentum.trend_fast: 60 is not below",
        ),
        (
            "strategies: {momentum: {rsi_min: 80}}",
            "strategies.momentum.rsi_min: 80.0 is not below",
        ),
        ("filter: {min_volatility_24h: 0.9}", "filter.min_volatility_24h: 0.9"),
        (
            "simulation: {take_profits: [{r_multiple: 1, fraction: 0.6},"
            " {r_multiple: 2, fraction: 0.6}]}",
            "simulation.take_profits: the fractions sum to 1.2, above the bound 1",
        ),
        (
            "simulation: {take_profits: [{r_multiple: 2, fraction: 0.1},"
            " {r_multiple: 1, fraction: 0.1}]}",
            "simulation.take_profits: r_multiple must ascend, got [2.0, 1.0]",
        ),
        ("snapshot: {timeframes: [1w]}", "snapshot.timeframes: 1w is not among"),
        (
            "strategies: {momentum: {timeframe: 3m}}",
            "strategies.momentum.timeframe: 3m is not among collector.timeframes",
        ),
        (
            "simulation: {step_timeframe: 3m}",
            "simulation.step_timeframe: 3m is not among",
        ),
        ("collector: {timeframes: [1m, 1m]}", "collector.timeframes: 1m is listed"),
        ("replay: {start: 2025-01-06T00:00:00}", "replay.start: '2025-01-06T00:00:00'"),
        ("replay: {faults: [{kind: htm}]}", "replay.faults[0].kind: 'htm' is not one"),
        ("application: {log_level: info}", "did you mean INFO?"),
        ("just text", "the file must hold `section:` keys"),
    ],
)
def test_a_rule_across_keys_names_the_keys(
    text: str, named: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        load(path)

    assert named in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent.yaml: no such"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ConfigurationError, match="is not a file"):
        load(None, CRYPTO_BOT_CONFIG=str(tmp_path))


def test_the_file_is_found_in_the_order_that_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Settings()

    (tmp_path / "config.yaml").write_text("replay: {seed: 1}")
    assert load(None).replay.seed == 1

    named = tmp_path / "named.yaml"
    named.write_text("replay: {seed: 2}")
    assert load(None, CRYPTO_BOT_CONFIG=str(named)).replay.seed == 2

    given = tmp_path / "given.yaml"
    given.write_text("replay: {seed: 3}")
    assert load(given, CRYPTO_BOT_CONFIG=str(named)).replay.seed == 3
