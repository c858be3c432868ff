"""TA-Lib's 61 candlestick patterns: their names, lengths and directions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import talib

from app.analysis._crossing import IntArray
from app.analysis.patterns._hits import Hits
from app.analysis.window import CandleWindow

# No pattern looks further back: averages of 10 bars before patterns of at most 5, and a
# hikkake that waits for 3 more.
CONTEXT_BARS = 30

_Recognise = Callable[..., npt.NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Candlestick:
    """A pattern of TA-Lib's: the bars it is made of, context it needs included.

    `sign` replaces TA-Lib's where that tells nothing of direction: 0 for patterns of
    indecision, whose value is always 100 or the colour of the candle, and -1 for the
    gravestone doji, whose value is always 100.
    """

    name: str
    function: str
    bars: int
    sign: int | None = None


CANDLESTICKS: tuple[Candlestick, ...] = (
    Candlestick("two_crows", "CDL2CROWS", 3),
    Candlestick("three_black_crows", "CDL3BLACKCROWS", 4),
    Candlestick("three_inside", "CDL3INSIDE", 3),
    Candlestick("three_line_strike", "CDL3LINESTRIKE", 4),
    Candlestick("three_outside", "CDL3OUTSIDE", 3),
    Candlestick("three_stars_in_south", "CDL3STARSINSOUTH", 3),
    Candlestick("three_white_soldiers", "CDL3WHITESOLDIERS", 3),
    Candlestick("abandoned_baby", "CDLABANDONEDBABY", 3),
    Candlestick("advance_block", "CDLADVANCEBLOCK", 3),
    Candlestick("belt_hold", "CDLBELTHOLD", 1),
    Candlestick("breakaway", "CDLBREAKAWAY", 5),
    Candlestick("closing_marubozu", "CDLCLOSINGMARUBOZU", 1),
    Candlestick("concealing_baby_swallow", "CDLCONCEALBABYSWALL", 4),
    Candlestick("counterattack", "CDLCOUNTERATTACK", 2),
    Candlestick("dark_cloud_cover", "CDLDARKCLOUDCOVER", 2),
    Candlestick("doji", "CDLDOJI", 1, 0),
    Candlestick("doji_star", "CDLDOJISTAR", 2),
    Candlestick("dragonfly_doji", "CDLDRAGONFLYDOJI", 1),
    Candlestick("engulfing", "CDLENGULFING", 2),
    Candlestick("evening_doji_star", "CDLEVENINGDOJISTAR", 3),
    Candlestick("evening_star", "CDLEVENINGSTAR", 3),
    Candlestick("gap_side_by_side_white", "CDLGAPSIDESIDEWHITE", 3),
    Candlestick("gravestone_doji", "CDLGRAVESTONEDOJI", 1, -1),
    Candlestick("hammer", "CDLHAMMER", 2),
    Candlestick("hanging_man", "CDLHANGINGMAN", 2),
    Candlestick("harami", "CDLHARAMI", 2),
    Candlestick("harami_cross", "CDLHARAMICROSS", 2),
    Candlestick("high_wave", "CDLHIGHWAVE", 1, 0),
    Candlestick("hikkake", "CDLHIKKAKE", 3),
    Candlestick("hikkake_modified", "CDLHIKKAKEMOD", 4),
    Candlestick("homing_pigeon", "CDLHOMINGPIGEON", 2),
    Candlestick("identical_three_crows", "CDLIDENTICAL3CROWS", 3),
    Candlestick("in_neck", "CDLINNECK", 2),
    Candlestick("inverted_hammer", "CDLINVERTEDHAMMER", 2),
    Candlestick("kicking", "CDLKICKING", 2),
    Candlestick("kicking_by_length", "CDLKICKINGBYLENGTH", 2),
    Candlestick("ladder_bottom", "CDLLADDERBOTTOM", 5),
    Candlestick("long_legged_doji", "CDLLONGLEGGEDDOJI", 1, 0),
    Candlestick("long_line", "CDLLONGLINE", 1),
    Candlestick("marubozu", "CDLMARUBOZU", 1),
    Candlestick("matching_low", "CDLMATCHINGLOW", 2),
    Candlestick("mat_hold", "CDLMATHOLD", 5),
    Candlestick("morning_doji_star", "CDLMORNINGDOJISTAR", 3),
    Candlestick("morning_star", "CDLMORNINGSTAR", 3),
    Candlestick("on_neck", "CDLONNECK", 2),
    Candlestick("piercing", "CDLPIERCING", 2),
    Candlestick("rickshaw_man", "CDLRICKSHAWMAN", 1, 0),
    Candlestick("rise_fall_three_methods", "CDLRISEFALL3METHODS", 5),
    Candlestick("separating_lines", "CDLSEPARATINGLINES", 2),
    Candlestick("shooting_star", "CDLSHOOTINGSTAR", 2),
    Candlestick("short_line", "CDLSHORTLINE", 1, 0),
    Candlestick("spinning_top", "CDLSPINNINGTOP", 1, 0),
    Candlestick("stalled", "CDLSTALLEDPATTERN", 3),
    Candlestick("stick_sandwich", "CDLSTICKSANDWICH", 3),
    Candlestick("takuri", "CDLTAKURI", 1),
    Candlestick("tasuki_gap", "CDLTASUKIGAP", 3),
    Candlestick("thrusting", "CDLTHRUSTING", 2),
    Candlestick("tristar", "CDLTRISTAR", 3),
    Candlestick("unique_three_river", "CDLUNIQUE3RIVER", 3),
    Candlestick("upside_gap_two_crows", "CDLUPSIDEGAP2CROWS", 3),
    Candlestick("gap_three_methods", "CDLXSIDEGAP3METHODS", 3),
)
# A hikkake is confirmed up to three bars later, when price closes beyond its second
# bar. TA-Lib says so with 200; here that is a pattern of its own.
CONFIRMATIONS = ("hikkake_confirmed", "hikkake_modified_confirmed")

_FUNCTIONS: tuple[_Recognise, ...] = tuple(
    # Without the wrapper that looks for pandas: it takes as long as the pattern.
    inspect.unwrap(getattr(talib, item.function))
    for item in CANDLESTICKS
)
_BARS = np.array([item.bars for item in CANDLESTICKS])
_SIGNS = np.array([2 if item.sign is None else item.sign for item in CANDLESTICKS])
_HIKKAKES = tuple(
    place for place, item in enumerate(CANDLESTICKS) if item.name.startswith("hikkake")
)
_CONFIRMED = 200


def candlestick_hits(window: CandleWindow, since: int, first_kind: int) -> Hits:
    """Candlesticks completed at the bars from place `since` on.

    Kinds are numbered from `first_kind`: `CANDLESTICKS`, then `CONFIRMATIONS`.
    """
    skipped = max(since - CONTEXT_BARS, 0)
    window, since = window.last(len(window) - skipped), since - skipped
    values = _recognised(window)
    kinds, places = values[:, since:].nonzero()
    bars = places + since
    told = values[kinds, bars]
    is_confirmation = abs(told) == _CONFIRMED
    confirming = set(kinds[is_confirmation].tolist())
    if confirming:
        kinds, bars, told = (x[~is_confirmation] for x in (kinds, bars, told))
    signs = np.where(_SIGNS[kinds] == 2, np.sign(told), _SIGNS[kinds])
    started = bars - _BARS[kinds] + 1
    grades = np.abs(told) / 100.0
    hits = Hits(kinds + first_kind, bars, bars, started, signs, grades)
    confirmed = [
        _confirmations(values[place], since, int(_BARS[place]), first_kind, number)
        for number, place in enumerate(_HIKKAKES)
        if place in confirming
    ]
    return Hits.joined([hits, *confirmed]).later(skipped)


def _recognised(window: CandleWindow) -> npt.NDArray[np.int32]:
    """TA-Lib's value of each pattern at each bar, shape (patterns, bars)."""
    values = np.zeros((len(_FUNCTIONS), len(window)), dtype=np.int32)
    if len(window):
        prices = (window.open, window.high, window.low, window.close)
        for place, recognise in enumerate(_FUNCTIONS):
            values[place] = recognise(*prices)
    return values


def _confirmations(
    values: npt.NDArray[np.int32], since: int, bars: int, first_kind: int, number: int
) -> Hits:
    at: IntArray = (abs(values[since:]) == _CONFIRMED).nonzero()[0] + since
    setups = ((values != 0) & (abs(values) < _CONFIRMED)).nonzero()[0]
    # What is confirmed is the newest one: TA-Lib forgets those before it.
    before = setups.searchsorted(at) - 1
    at, before = at[before >= 0], before[before >= 0]
    happened = setups[before]
    kinds = np.full(len(at), first_kind + len(CANDLESTICKS) + number)
    signs = np.sign(values[at]).astype(np.int64)
    return Hits(kinds, at, happened, happened - bars + 1, signs, np.ones(len(at)))
