"""Each market gets a verdict with every rule that it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.config.settings import FilterSettings
from app.domain.market import Market, MarketStatus, Ticker
from app.domain.universe import RejectionReason as Reason
from app.trading.market_filter import MarketFilter, Verdict

# Mid 100, spread 10 bps; range 5 % of the low.
GOOD = Ticker(
    symbol="A/USDT",
    at=None,
    last=100.0,
    bid=99.95,
    ask=100.05,
    high_24h=105.0,
    low_24h=100.0,
    base_volume_24h=1e5,
    quote_volume_24h=1e7,
)


def market(symbol: str, status: MarketStatus = MarketStatus.TRADING) -> Market:
    base, quote = symbol.split("/")
    return Market("replay", symbol, base + quote, base, quote, status)


def judge(
    ticker: Ticker | None = GOOD,
    listed: Market | None = None,
    cap: float | None = None,
    **rules: Any,
) -> Verdict:
    listed = listed or market("A/USDT")
    tickers = {listed.symbol: ticker} if ticker else {}
    caps = {listed.symbol: cap} if cap is not None else {}
    bounds = {"min_quote_volume_24h": 1e6, "max_spread_bps": 20, **rules}
    (verdict,) = MarketFilter(FilterSettings(**bounds)).judge(
        {listed.symbol: listed}, tickers, caps
    )
    return verdict


def test_a_market_that_passes_every_rule_is_admitted() -> None:
    verdict = judge()

    assert verdict.admitted and verdict.reasons == ()
    assert verdict.figures["spread_bps"] == pytest.approx(10)
    assert verdict.figures["volatility_24h"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote_volume_24h": 999_999.0}, Reason.VOLUME_TOO_LOW),
        ({"quote_volume_24h": None}, Reason.VOLUME_TOO_LOW),
        ({"ask": 100.16}, Reason.SPREAD_TOO_WIDE),
        ({"bid": None}, Reason.SPREAD_UNKNOWN),
        ({"high_24h": 100.1}, Reason.VOLATILITY_TOO_LOW),
        ({"high_24h": 181.0}, Reason.VOLATILITY_TOO_HIGH),
        ({"low_24h": None}, Reason.VOLATILITY_UNKNOWN),
    ],
)
def test_one_failing_figure_gives_its_reason(
    change: dict[str, Any], reason: Reason
) -> None:
    verdict = judge(replace(GOOD, **change))

    assert not verdict.admitted and verdict.reasons == (reason,)


@pytest.mark.parametrize(
    "change",
    [{"quote_volume_24h": 1e6}, {"high_24h": 100.2}, {"high_24h": 180.0}],
)
def test_a_figure_on_its_bound_passes(change: dict[str, Any]) -> None:
    assert judge(replace(GOOD, **change)).admitted


def test_a_market_without_a_ticker_is_rejected() -> None:
    assert judge(None).reasons == (Reason.NO_TICKER,)


def test_a_halted_market_is_rejected() -> None:
    halted = market("A/USDT", MarketStatus.HALTED)

    assert judge(listed=halted).reasons == (Reason.NOT_TRADING,)


def test_quote_currency_and_exclusions() -> None:
    assert judge(listed=market("A/EUR")).reasons == (Reason.QUOTE_CURRENCY,)
    assert judge(exclude_symbols=["A/USDT"]).reasons == (Reason.EXCLUDED,)


@pytest.mark.parametrize(
    ("cap", "is_admitted"), [(None, True), (5e6, True), (4e6, False)]
)
def test_market_capitalisation_is_judged_only_where_known(
    cap: float | None, is_admitted: bool
) -> None:
    verdict = judge(cap=cap, min_market_cap=5e6)

    assert verdict.admitted is is_admitted
    assert verdict.figures["market_cap"] == cap


def test_every_failed_rule_is_listed() -> None:
    bad = replace(GOOD, quote_volume_24h=1.0, bid=None, high_24h=500.0)

    verdict = judge(bad, market("A/EUR", MarketStatus.HALTED), 1.0, min_market_cap=2)

    assert set(verdict.reasons) == {
        Reason.NOT_TRADING,
        Reason.QUOTE_CURRENCY,
        Reason.MARKET_CAP_TOO_LOW,
        Reason.VOLUME_TOO_LOW,
        Reason.SPREAD_UNKNOWN,
        Reason.VOLATILITY_TOO_HIGH,
    }


def many(**rules: Any) -> dict[str, Verdict]:
    """Verdicts on A to E with volumes of 5, 4, 9, 4 and (too low) 0 million."""
    volumes = {"A": 5e6, "B": 4e6, "C": 9e6, "D": 4e6, "E": 0.0}
    markets = {f"{base}/USDT": market(f"{base}/USDT") for base in volumes}
    tickers = {
        f"{base}/USDT": replace(GOOD, symbol=f"{base}/USDT", quote_volume_24h=volume)
        for base, volume in volumes.items()
    }
    verdicts = MarketFilter(FilterSettings(**rules)).judge(markets, tickers, {})
    return {verdict.symbol[0]: verdict for verdict in verdicts}


def test_the_largest_by_volume_stay() -> None:
    verdicts = many(max_markets=3)

    assert "".join(v for v in verdicts if verdicts[v].admitted) == "ABC"
    assert verdicts["D"].reasons == (Reason.RANK_TOO_LOW,)
    assert verdicts["E"].reasons == (Reason.VOLUME_TOO_LOW,)


def test_chosen_symbols_skip_every_rule_but_trading() -> None:
    verdicts = many(symbols=["D/USDT", "E/USDT"], max_markets=1)

    assert [v for v in verdicts if verdicts[v].admitted] == ["D", "E"]
    assert verdicts["C"].reasons == (Reason.NOT_SELECTED,)


def test_a_chosen_symbol_that_does_not_trade_is_rejected() -> None:
    halted = market("A/USDT", MarketStatus.HALTED)

    assert judge(listed=halted, symbols=["A/USDT"]).reasons == (Reason.NOT_TRADING,)
