"""How fast indicators are, beside bare TA-Lib and pandas-ta-classic.

Three figures, each a ratio or a duration of this run: the sixteen indicators that all
three libraries have, over a million bars and over a window; and the default set at the
last bar of 500 markets. Exits 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import talib
from rich.table import Table

from app.analysis.indicators.aroon import Aroon
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.cci import Cci
from app.analysis.indicators.mfi import Mfi
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.roc import Roc
from app.analysis.indicators.stoch_rsi import StochRsi
from app.analysis.indicators.stochastic import Stochastic
from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.williams_r import WilliamsR
from app.analysis.service import DEFAULT_INDICATORS, IndicatorService
from app.analysis.window import CandleWindow
from app.core.clock import SystemClock
from app.domain.timeframe import Timeframe
from benchmarks.support import Aim, console, judge

MARKETS = 500
WINDOW_BARS = 300
_monotonic = SystemClock().monotonic

Bare = Callable[[CandleWindow], object]

# Each indicator, the TA-Lib calls that give its values, and what pandas-ta-classic
# calls it.
SIXTEEN: Sequence[tuple[Indicator, Bare, str, Mapping[str, int]]] = (
    (Rsi(14), lambda w: talib.RSI(w.close, 14), "rsi", {}),
    (Macd(12, 26, 9), lambda w: talib.MACD(w.close, 12, 26, 9), "macd", {}),
    (Ema(20), lambda w: talib.EMA(w.close, 20), "ema", {"length": 20}),
    (Sma(20), lambda w: talib.SMA(w.close, 20), "sma", {"length": 20}),
    (Roc(10), lambda w: talib.ROC(w.close, 10), "roc", {}),
    (
        BollingerBands(20, 2.0),
        lambda w: talib.BBANDS(w.close, 20, 2.0, 2.0),
        "bbands",
        {"length": 20},
    ),
    (Atr(14), lambda w: talib.ATR(w.high, w.low, w.close, 14), "atr", {}),
    (
        Adx(14),
        lambda w: (
            talib.ADX(w.high, w.low, w.close, 14),
            talib.PLUS_DI(w.high, w.low, w.close, 14),
            talib.MINUS_DI(w.high, w.low, w.close, 14),
        ),
        "adx",
        {},
    ),
    (Obv(200), lambda w: talib.OBV(w.close, w.volume), "obv", {}),
    (
        Stochastic(14, 3, 3),
        lambda w: talib.STOCH(w.high, w.low, w.close, 14, 3, 0, 3, 0),
        "stoch",
        {},
    ),
    (
        StochRsi(14, 14, 3),
        lambda w: talib.STOCHRSI(w.close, 14, 14, 3),
        "stochrsi",
        {},
    ),
    (Mfi(14), lambda w: talib.MFI(w.high, w.low, w.close, w.volume, 14), "mfi", {}),
    (Cci(20), lambda w: talib.CCI(w.high, w.low, w.close, 20), "cci", {"length": 20}),
    (Aroon(14), lambda w: talib.AROON(w.high, w.low, 14), "aroon", {}),
    (WilliamsR(14), lambda w: talib.WILLR(w.high, w.low, w.close, 14), "willr", {}),
    (
        SuperTrend(10, 3.0),
        lambda w: talib.SUPERTREND(w.high, w.low, w.close, 10, 3.0),
        "supertrend",
        {"length": 10},
    ),
)


def walk(bars: int, seed: int, timeframe: Timeframe = Timeframe.M5) -> CandleWindow:
    """A random walk that ends at an instant of its own, so that sessions differ."""
    noise = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(noise.normal(0.0, 0.002, bars)))
    first = np.concatenate(([100.0], close[:-1]))
    reach = noise.uniform(0.0, 0.001, (2, bars))
    step = np.timedelta64(timeframe.duration)
    return CandleWindow(
        f"C{seed:03}/USDT",
        timeframe,
        np.datetime64("2015-01-01T00:00", "us") + (seed + np.arange(bars)) * step,
        first,
        np.maximum(first, close) * (1 + reach[0]),
        np.minimum(first, close) * (1 - reach[1]),
        close,
        noise.lognormal(4.0, 1.0, bars),
    )


def markets(bars: int, count: int = MARKETS) -> list[CandleWindow]:
    """Windows of as many markets, of so many bars each."""
    return [walk(bars, seed) for seed in range(count)]


def least_seconds(
    work: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, float]:
    """Least seconds of each; they take turns, so that disturbances meet them all.

    The least, because whatever else the machine does only ever adds time.
    """
    least = dict.fromkeys(work, float("inf"))
    for number in range(rounds + 1):
        for name, run in work.items():
            gc.collect()
            started = _monotonic()
            run()
            if number:  # the first round fills the caches
                least[name] = min(least[name], _monotonic() - started)
    return least


def ours_over_all(window: CandleWindow) -> None:
    """The sixteen, at every bar."""
    for indicator, *_ in SIXTEEN:
        indicator.series(window)


def bare_over_all(window: CandleWindow) -> None:
    """The same values from TA-Lib called directly."""
    for _, bare, *_ in SIXTEEN:
        bare(window)


def pandas_ta_over_all(frame: pd.DataFrame) -> None:
    """The same values from pandas-ta-classic, with TA-Lib to help where it does."""
    for *_, name, parameters in SIXTEEN:
        getattr(frame.ta, name)(**parameters)


def frame_of(window: CandleWindow) -> pd.DataFrame:
    """The window as pandas-ta-classic takes it."""
    names = ("open", "high", "low", "close", "volume")
    columns = {name: getattr(window, name).copy() for name in names}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(window.open_at))


def latest_of_markets(
    service: IndicatorService, windows: Sequence[CandleWindow]
) -> None:
    """Every output at the last bar of every market."""
    for window in windows:
        service.latest(window)


def compare_million(bars: int, rounds: int) -> float:
    """Seconds over those of bare TA-Lib on one long series; printed by indicator."""
    window = walk(bars, 1)
    table = Table(title=f"Sixteen indicators, {bars:,} bars", title_justify="left")
    for heading in ("", "ours, ms", "bare TA-Lib, ms", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for indicator, bare, *_ in SIXTEEN:
        seconds = least_seconds(
            {"ours": lambda: indicator.series(window), "bare": lambda: bare(window)},
            rounds,
        )
        _add(table, indicator.name, seconds)
    total = least_seconds(
        {"ours": lambda: ours_over_all(window), "bare": lambda: bare_over_all(window)},
        rounds,
    )
    table.add_section()
    _add(table, "all", total)
    console.print(table)
    return total["ours"] / total["bare"]


def compare_window(count: int, rounds: int) -> float:
    """How many times as fast as pandas-ta-classic on windows of 300 bars."""
    import pandas_ta_classic  # noqa: F401  gives frames their `ta`

    windows = markets(WINDOW_BARS, count)
    frames = [frame_of(window) for window in windows]

    def run(work: Callable[..., None], items: Sequence[object]) -> None:
        for item in items:
            work(item)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = least_seconds(
            {
                "bare TA-Lib": lambda: run(bare_over_all, windows),
                "ours": lambda: run(ours_over_all, windows),
                "pandas-ta-classic": lambda: run(pandas_ta_over_all, frames),
            },
            rounds,
        )
    table = Table(title=f"Sixteen indicators, {WINDOW_BARS} bars", title_justify="left")
    for heading in ("", "ms a window", "times ours"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, taken in seconds.items():
        each, times = taken / count * 1e3, taken / seconds["ours"]
        table.add_row(name, f"{each:.3f}", f"{times:.1f}")
    console.print(table)
    return seconds["pandas-ta-classic"] / seconds["ours"]


def measure_last_bars(rounds: int) -> float:
    """Seconds for the default set at the last bar of every market, by indicator."""
    service = IndicatorService()
    bars = service.bars_needed_on(Timeframe.M5)
    windows = markets(bars)
    work: dict[str, Callable[[], object]] = {"all": _latest(service, windows)}
    for indicator in DEFAULT_INDICATORS:
        name = indicator.outputs[0]
        work[name] = _latest(IndicatorService([indicator]), windows)
    seconds = least_seconds(work, rounds)
    table = Table(
        title=f"Default set, last bar of {MARKETS} markets of {bars} bars",
        title_justify="left",
    )
    for heading in ("", "ms", "us a market"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, taken in seconds.items():
        table.add_row(name, f"{taken * 1e3:.1f}", f"{taken / MARKETS * 1e6:.1f}")
        if name == "all":
            table.add_section()
    console.print(table)
    return seconds["all"]


def _latest(
    service: IndicatorService, windows: Sequence[CandleWindow]
) -> Callable[[], object]:
    return lambda: latest_of_markets(service, windows)


def _add(table: Table, name: str, seconds: Mapping[str, float]) -> None:
    ours, bare = seconds["ours"], seconds["bare"]
    table.add_row(name, f"{ours * 1e3:.1f}", f"{bare * 1e3:.1f}", f"{ours / bare:.2f}")


def main() -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bars", type=int, default=1_000_000, help="of the long one")
    parser.add_argument("--windows", type=int, default=10, help="windows of 300 bars")
    parser.add_argument("--rounds", type=int, default=7, help="runs; the least counts")
    arguments = parser.parse_args()
    if min(arguments.bars, arguments.windows, arguments.rounds) < 1:
        parser.error("--bars, --windows and --rounds must be at least 1")
    million = compare_million(arguments.bars, arguments.rounds)
    faster = compare_window(arguments.windows, arguments.rounds)
    last_bars = measure_last_bars(arguments.rounds)
    return judge(
        [
            Aim(f"{arguments.bars:,} bars, over bare TA-Lib", million, 1.5, False),
            Aim("times as fast as pandas-ta-classic", faster, 50.0, True),
            Aim(f"seconds for {MARKETS} last bars", last_bars, 0.35, False),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
