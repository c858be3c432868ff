"""Whether a function's results for bars up to t depend on bars after t."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from app.analysis.finding import Finding
from app.analysis.window import CandleWindow
from tests.analysis.discovery import Kind, Probe
from tests.analysis.feeds import Feed, bars_closed_by
from tests.analysis.windows import COLUMNS


def check_blind(probe: Probe, feed: Feed, kept: int) -> None:
    """Fails where the result for the first `kept` bars is not that of them alone."""
    for stage, (told, alone) in _pairs(probe, feed, kept):
        difference = describe_difference(told, alone)
        assert not difference, (
            f"{probe.name} sees later bars: of {len(feed.window)} bars, the first "
            f"{kept} read otherwise once later ones {stage}{difference}"
        )


def _pairs(
    probe: Probe, feed: Feed, kept: int
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    removed = feed.removed(kept)
    alone = probe(removed)
    altered = feed.altered(kept)
    if probe.kind is Kind.STATE:
        _refuse_lengths(probe, alone, kept)
        # The whole is read in between, so that nothing of it may be remembered.
        probe(feed)
        yield "are in memory", (probe(feed.hidden(kept)), alone)
        yield "are altered in memory", (probe(altered.hidden(kept)), alone)
        return
    bar_at, known_at = removed.window.last_open_at, removed.window.last_close_at
    _check_shape(probe, alone, removed)
    for stage, longer in (("follow", feed), ("are altered", altered)):
        told = probe(longer)
        _check_shape(probe, told, longer)
        yield stage, (
            known(told, alone, bar_at, known_at),
            known(alone, alone, bar_at, known_at),
        )


def known(result: Any, like: Any, bar_at: datetime, known_at: datetime) -> Any:
    """The part of a result that was known when the bar `bar_at` closed at `known_at`.

    `like` is the result on the bars up to then: it gives the lengths of arrays.
    """
    if isinstance(result, (np.ndarray, pd.Series, pd.DataFrame)):
        return result[: len(like)]
    if isinstance(result, CandleWindow):
        return result._slice(0, bars_closed_by(result, known_at))
    if isinstance(result, Mapping):
        return {
            key: known(value, like[key], bar_at, known_at)
            for key, value in result.items()
            if key in like or value is not None
        }
    if is_dataclass(result) and _bars_of(result) is not None:
        closed = bars_closed_by(_bars_of(result), known_at)
        return {
            field.name: (
                known(value, value, bar_at, known_at)
                if isinstance(value := getattr(result, field.name), CandleWindow)
                else value[:closed]
            )
            for field in fields(result)
        }
    if is_dataclass(result):
        return {
            field.name: known(
                getattr(result, field.name), getattr(like, field.name), bar_at, known_at
            )
            for field in fields(result)
        }
    if _is_findings(result):
        then = [finding.as_of(bar_at) for finding in result]
        return [finding for finding in then if finding is not None]
    if isinstance(result, (tuple, list)):
        return [
            known(value, same, bar_at, known_at)
            for value, same in zip(result, like, strict=True)
        ]
    return result


def _bars_of(result: Any) -> CandleWindow | None:
    """The bars among the fields of a result, None where there are none."""
    values = (getattr(result, field.name) for field in fields(result))
    return next((v for v in values if isinstance(v, CandleWindow)), None)


def _is_findings(result: Any) -> bool:
    return isinstance(result, (tuple, list)) and all(
        isinstance(item, Finding) for item in result
    )


def _check_shape(probe: Probe, result: Any, feed: Feed) -> None:
    lengths = {len(window) for window in feed.timeframes.values()}
    lengths |= {len(window) for window in feed.markets.values()}
    if probe.kind is Kind.SERIES:
        for leaf in leaves(result):
            assert leaf is None or len(leaf) in lengths, f"{probe.name}: not a bar each"
    if probe.kind is Kind.FINDINGS:
        for finding in leaves(result):
            at = feed.window.last_open_at
            assert finding.as_of(at) == finding, f"{probe.name}: past the last bar"


def _refuse_lengths(probe: Probe, result: Any, bars: int) -> None:
    # A value a bar in a result that claims to be of the last bar would go unchecked.
    # Short windows are let off: five quantiles of five bars are no series.
    for leaf in leaves(result):
        is_series = isinstance(leaf, np.ndarray) and len(leaf) == bars > 60
        assert not is_series, f"{probe.name}: {bars} values, one a bar, in a state"


def leaves(result: Any) -> Iterator[Any]:
    """All arrays, findings and plain values of a result."""
    if isinstance(result, Mapping):
        for value in result.values():
            yield from leaves(value)
    elif isinstance(result, (tuple, list)):
        for value in result:
            yield from leaves(value)
    elif is_dataclass(result) and not isinstance(result, (Finding, CandleWindow)):
        for field in fields(result):
            yield from leaves(getattr(result, field.name))
    else:
        yield result


def describe_difference(told: Any, alone: Any, path: str = "") -> str:
    """Where two results differ, empty where they are equal to the last bit."""
    if isinstance(told, (pd.DataFrame, pd.Series)):
        return "" if told.equals(alone) else f" at {path or 'frame'}"
    if isinstance(told, np.ndarray):
        return _array_difference(told, alone, path)
    if isinstance(told, CandleWindow):
        return next(
            filter(
                None,
                (
                    _array_difference(
                        getattr(told, c), getattr(alone, c), f"{path}.{c}"
                    )
                    for c in COLUMNS
                ),
            ),
            "",
        )
    if isinstance(told, float) and isinstance(alone, float):
        same = told == alone or (np.isnan(told) and np.isnan(alone))
        return "" if same else f" at {path or 'value'}: {told} for {alone}"
    if type(told) is type(alone) and is_dataclass(told):
        pairs = {
            f.name: (getattr(told, f.name), getattr(alone, f.name))
            for f in fields(told)
        }
        return _first_difference(pairs, path)
    if isinstance(told, Mapping) and isinstance(alone, Mapping):
        if list(told) != list(alone):
            return f" at {path or 'keys'}: {list(told)} for {list(alone)}"
        return _first_difference({k: (told[k], alone[k]) for k in told}, path)
    if isinstance(told, (tuple, list)) and isinstance(alone, (tuple, list)):
        pairs = {str(i): pair for i, pair in enumerate(zip(told, alone))}
        found = _first_difference(pairs, path)
        if found or len(told) == len(alone):
            return found
        return f" at {path or 'length'}: {len(told)} items for {len(alone)}"
    return "" if told == alone else f" at {path or 'value'}: {told} for {alone}"


def _first_difference(pairs: Mapping[Any, tuple[Any, Any]], path: str) -> str:
    for key, (told, alone) in pairs.items():
        if found := describe_difference(told, alone, f"{path}.{key}"):
            return found
    return ""


def _array_difference(told: Any, alone: Any, path: str) -> str:
    if not isinstance(alone, np.ndarray) or told.shape != alone.shape:
        return f" at {path or 'array'}: shape {told.shape}"
    same = told == alone
    if told.dtype.kind == "f":
        same |= np.isnan(told) & np.isnan(alone)
    if same.all():
        return ""
    first = int(np.argmin(same if same.ndim == 1 else same.all(axis=1)))
    return f" at {path or 'array'}[{first}]: {told[first]} for {alone[first]}"
