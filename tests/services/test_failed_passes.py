"""What is wrong with one market does not end the collecting of the others."""

from __future__ import annotations

import pytest

from app.core.exceptions import (
    AppError,
    BadData,
    ExchangeRefused,
    ExchangeUnavailable,
    UnknownSymbol,
)
from app.domain.timeframe import Timeframe
from app.services.collection.collector import Progress, raise_if_nothing_worked

M1, M5 = Timeframe.M1, Timeframe.M5


@pytest.mark.parametrize(
    "error",
    [
        BadData("BadRequest: 400"),
        UnknownSymbol("XYZ/USDT"),
        ExchangeRefused("PermissionDenied: not for you"),
    ],
)
def test_one_market_that_cannot_be_had_ends_nothing(error: AppError) -> None:
    raise_if_nothing_worked(Progress(failed={(1, M1): error, (1, M5): error}))


def test_bad_requests_of_many_markets_end_nothing() -> None:
    failed: dict[tuple[int, Timeframe], AppError] = {
        (market, M1): BadData("BadRequest: 400") for market in range(3)
    }
    raise_if_nothing_worked(Progress(failed=failed))


def test_an_exchange_that_refuses_every_market_is_given_up() -> None:
    failed: dict[tuple[int, Timeframe], AppError] = {
        (market, M1): ExchangeRefused("451") for market in (1, 2)
    }
    with pytest.raises(ExchangeRefused):
        raise_if_nothing_worked(Progress(failed=failed))

    raise_if_nothing_worked(Progress(pages=1, failed=failed))


def test_an_exchange_that_is_down_is_backed_off_from() -> None:
    down = ExchangeUnavailable("502")
    with pytest.raises(ExchangeUnavailable):
        raise_if_nothing_worked(
            Progress(failed={(1, M1): ExchangeRefused("403"), (2, M1): down})
        )
