"""How much a market moves when another one moves by one."""

from __future__ import annotations

import numpy as np

from app.analysis.common_bars import NO_VARIATION, common_bars
from app.analysis.preparation.rolling import reduce_rolling_pair
from app.analysis.window import CandleWindow, FloatArray


def rolling_beta(
    window: CandleWindow, btc_window: CandleWindow, bars: int = 100
) -> FloatArray:
    """Beta to `btc_window` over the last `bars` returns, at every bar of `window`.

    The slope of the regression of the log returns on BTC's: covariance over BTC's
    variance. Only bars that both hold are paired, and a return spans two of them. NaN
    until there are enough, at a bar that BTC lacks, and where BTC's returns did not
    vary. Raises ValueError for two time frames.
    """
    if bars < 2:
        raise ValueError(f"beta over {bars} returns is undefined, needs at least 2")
    ours, theirs = common_bars(window, btc_window)
    beta = np.full(len(window), np.nan)
    if len(ours) > bars:
        own, btc = (
            np.diff(np.log(side.close[places]))
            for side, places in ((window, ours), (btc_window, theirs))
        )
        beta[ours[1:]] = reduce_rolling_pair(own, btc, bars, _slope)
    return beta


def latest_beta(
    window: CandleWindow, btc_window: CandleWindow, bars: int = 100
) -> float | None:
    """Beta over the last `bars` returns of common bars; None for NaN's reasons.

    Unlike the last element of `rolling_beta`, defined at a bar that BTC lacks too.
    """
    ours, theirs = common_bars(window, btc_window)
    if bars < 2 or len(ours) <= bars:
        return None
    own, btc = (
        np.diff(np.log(side.close[places[-bars - 1 :]]))[np.newaxis]
        for side, places in ((window, ours), (btc_window, theirs))
    )
    beta = float(_slope(own, btc)[0])
    return None if np.isnan(beta) else beta


def _slope(own: FloatArray, btc: FloatArray) -> FloatArray:
    own -= own.mean(axis=1, keepdims=True)
    btc -= btc.mean(axis=1, keepdims=True)
    variation = (btc * btc).sum(axis=1)
    slope = np.full(len(variation), np.nan)
    np.divide(
        (own * btc).sum(axis=1),
        variation,
        out=slope,
        where=variation > own.shape[1] * NO_VARIATION,
    )
    return slope
