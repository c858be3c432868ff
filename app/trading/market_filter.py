"""Which markets are worth collecting: the rules of the market filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.config.settings import FilterSettings
from app.domain.market import Market, MarketStatus, Ticker
from app.domain.universe import RejectionReason

Figure = float | str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a market is admitted; every rule it fails, and the figures judged."""

    symbol: str
    admitted: bool
    reasons: tuple[RejectionReason, ...]
    figures: Mapping[str, Figure]


class MarketFilter:
    """Judges every market of an exchange by `FilterSettings`."""

    def __init__(self, settings: FilterSettings) -> None:
        self._settings = settings

    def judge(
        self,
        markets: Mapping[str, Market],
        tickers: Mapping[str, Ticker],
        market_caps: Mapping[str, float],
    ) -> list[Verdict]:
        """One verdict a market, by symbol.

        Market capitalisation is judged only where `market_caps` knows it. Of those
        that pass, the `max_markets` with the highest 24 h volume stay, unless the
        symbols were chosen by name.
        """
        verdicts = []
        for symbol, market in sorted(markets.items()):
            ticker = tickers.get(symbol)
            figures = _figures(market, ticker, market_caps.get(symbol))
            reasons = self._reasons(market, ticker, market_caps.get(symbol))
            verdicts.append(Verdict(symbol, not reasons, reasons, figures))
        return verdicts if self._settings.symbols else self._keep_largest(verdicts)

    def _reasons(
        self, market: Market, ticker: Ticker | None, market_cap: float | None
    ) -> tuple[RejectionReason, ...]:
        settings = self._settings
        if settings.symbols:
            if market.symbol not in settings.symbols:
                return (RejectionReason.NOT_SELECTED,)
            if market.status is not MarketStatus.TRADING:
                return (RejectionReason.NOT_TRADING,)
            return ()
        reasons = []
        if market.status is not MarketStatus.TRADING:
            reasons.append(RejectionReason.NOT_TRADING)
        if market.symbol in settings.exclude_symbols:
            reasons.append(RejectionReason.EXCLUDED)
        if market.quote not in settings.quote_currencies:
            reasons.append(RejectionReason.QUOTE_CURRENCY)
        if market_cap is not None and market_cap < settings.min_market_cap:
            reasons.append(RejectionReason.MARKET_CAP_TOO_LOW)
        if ticker is None:
            return (*reasons, RejectionReason.NO_TICKER)
        return (*reasons, *self._ticker_reasons(ticker))

    def _ticker_reasons(self, ticker: Ticker) -> list[RejectionReason]:
        settings = self._settings
        reasons = []
        if (ticker.quote_volume_24h or 0.0) < settings.min_quote_volume_24h:
            reasons.append(RejectionReason.VOLUME_TOO_LOW)
        if ticker.spread_bps is None:
            reasons.append(RejectionReason.SPREAD_UNKNOWN)
        elif ticker.spread_bps > settings.max_spread_bps:
            reasons.append(RejectionReason.SPREAD_TOO_WIDE)
        volatility = ticker.volatility_24h
        if volatility is None:
            reasons.append(RejectionReason.VOLATILITY_UNKNOWN)
        elif volatility < settings.min_volatility_24h:
            reasons.append(RejectionReason.VOLATILITY_TOO_LOW)
        elif volatility > settings.max_volatility_24h:
            reasons.append(RejectionReason.VOLATILITY_TOO_HIGH)
        return reasons

    def _keep_largest(self, verdicts: list[Verdict]) -> list[Verdict]:
        admitted = [verdict for verdict in verdicts if verdict.admitted]
        admitted.sort(key=lambda verdict: (-_volume(verdict), verdict.symbol))
        beyond = {verdict.symbol for verdict in admitted[self._settings.max_markets :]}
        return [
            (
                replace(
                    verdict, admitted=False, reasons=(RejectionReason.RANK_TOO_LOW,)
                )
                if verdict.symbol in beyond
                else verdict
            )
            for verdict in verdicts
        ]


def _figures(
    market: Market, ticker: Ticker | None, market_cap: float | None
) -> dict[str, Figure]:
    return {
        "quote": market.quote,
        "status": market.status.value,
        "quote_volume_24h": ticker.quote_volume_24h if ticker else None,
        "spread_bps": ticker.spread_bps if ticker else None,
        "volatility_24h": ticker.volatility_24h if ticker else None,
        "market_cap": market_cap,
    }


def _volume(verdict: Verdict) -> float:
    volume = verdict.figures["quote_volume_24h"]
    return volume if isinstance(volume, float) else 0.0
