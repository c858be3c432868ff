"""The few methods laid over a ccxt exchange class so that it fails honestly.

Unmodified, ccxt reads HTML, an empty body, a truncated document and `null` as "no
data", loses a whole batch for one bad item, drops `Retry-After` and spends the budget
of the whole address. Signing, endpoints and parsing stay ccxt's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.core.clock import Clock
from app.core.exceptions import AppError, CorruptReply, ExchangeUnavailable
from app.domain.rejection import RejectionRule
from app.exchange import numbers
from app.exchange.call_record import begin_request, current_record, current_request
from app.exchange.costs import least_cost
from app.exchange.errors import describe, error_for_status
from app.exchange.rate_limiter import RateLimiter
from app.exchange.rejected import reject
from app.exchange.strict_numbers import StrictNumbers

# No venue lists half as many markets, or sends as long a page.
MAX_ITEMS = 10_000


class Values(list[Any]):
    """The values of an object, where ccxt takes an object for a list."""


class RawRows(list[Any]):
    """Parsed candle rows that remember the raw row each came from."""

    raw: list[Any]


class StrictReplies(StrictNumbers):
    """Mixed in before a `ccxt.async_support` class, whose methods it narrows."""

    id: str
    limiter: RateLimiter
    clock: Clock

    async def throttle(self, cost: float | None = None) -> None:
        """Spend the cost of the endpoint from our budget, not from ccxt's."""
        begin_request(await self.limiter.spend(1.0 if cost is None else float(cost)))

    def calculate_rate_limiter_cost(
        self, api: Any, method: Any, path: Any, params: Any, config: Any = None
    ) -> float:
        """What the venue counts, also where ccxt's own table is behind it."""
        cost = super().calculate_rate_limiter_cost(  # type: ignore[misc]
            api, method, path, params, config or {}
        )
        return max(float(cost), least_cost(self.id, path))

    async def fetch(
        self,
        url: str,
        method: str = "GET",
        headers: Any = None,
        body: Any = None,
    ) -> Any:
        record = current_record()
        record.sent_monotonic = self.clock.monotonic()
        try:
            reply = await super().fetch(  # type: ignore[misc]
                url, method, headers, body
            )
            if not isinstance(reply, dict | list):
                raise CorruptReply(
                    f"{_path(url)}: the reply is no JSON document, "
                    f"it begins {describe(str(reply)[:60])!r}"
                )
        except BaseException:
            record.refuse(current_request().body)
            raise
        finally:
            current_request().body = None
        return reply

    def on_rest_response(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Any,
        body: str,
        *_: Any,
    ) -> str:
        """ccxt's hook between transport and parser: remember what came."""
        current_request().body = body
        record = current_record()
        if not record.is_refused:
            record.body = body
        # ccxt strips whatever Python calls blank, and JSON is damaged by a "\v".
        return body.strip(" \t\r\n")

    def parse_json(self, http_response: str) -> Any:
        """The document, or None: `fetch` judges once the status code is known."""
        try:
            return self.on_json_response(http_response)  # type: ignore[attr-defined]
        except (ValueError, RecursionError):
            return None

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> Any:
        error = error_for_status(code, headers, _path(url), body, self.clock.now())
        if error is not None:
            raise error
        super().handle_errors(  # type: ignore[misc]
            code,
            reason,
            url,
            method,
            headers,
            body,
            response,
            request_headers,
            request_body,
        )
        known: Mapping[str, Any] = self.httpExceptions  # type: ignore[attr-defined]
        if code >= 400 and str(code) not in known:
            # ccxt would read the body of such a reply as an answer.
            raise ExchangeUnavailable(f"{_path(url)}: status {code}, {describe(body)}")

    @staticmethod
    def to_array(value: Any) -> Any:
        return Values(value.values()) if isinstance(value, dict) else value

    def parse_markets(self, markets: Any) -> Any:
        _require_few(markets, "markets")
        return super().parse_markets(markets)  # type: ignore[misc]

    def parse_tickers(self, tickers: Any, *args: Any, **kwargs: Any) -> Any:
        _require_few(tickers, "tickers")
        return super().parse_tickers(tickers, *args, **kwargs)  # type: ignore[misc]

    def parse_market(self, market: Any) -> Any:
        parse = super().parse_market  # type: ignore[misc]

        def parse_known() -> Any:
            parsed = parse(market)
            if parsed is None:
                # ccxt leaves out without a word what it finds no currencies in.
                raise ValueError("no base or quote currency")
            return parsed

        return _guarded("market", market, parse_known, None)

    def parse_ticker(self, ticker: Any, market: Any = None) -> Any:
        parse = super().parse_ticker  # type: ignore[misc]
        # ccxt leaves entries without a symbol out of the batch it returns.
        nobody = {"symbol": None, "info": ticker}
        return _guarded("ticker", ticker, lambda: parse(ticker, market), nobody)

    def parse_trades(
        self,
        trades: Any,
        market: Any = None,
        since: int | None = None,
        limit: int | None = None,
        params: Any = None,
    ) -> list[Any]:
        parse = super().parse_trades  # type: ignore[misc]

        def parse_own(trade: Any) -> Any:
            own = parse([trade], market, None, None, params or {})
            if not own:
                # ccxt leaves out without a word what names another market.
                raise ValueError("the trade of another market")
            return own

        parsed: list[Any] = []
        for trade in _items(trades, "trades"):
            parsed += _guarded("trade", trade, lambda: parse_own(trade), ())
        return parsed

    def parse_ohlcvs(
        self,
        ohlcvs: Any,
        market: Any = None,
        timeframe: str = "1m",
        since: int | None = None,
        limit: int | None = None,
        tail: bool = False,
    ) -> RawRows:
        """Rows in the order of the reply, bad ones included: the caller judges them."""
        parse = self.parse_ohlcv  # type: ignore[attr-defined]
        rows = RawRows()
        rows.raw = _items(ohlcvs, "candles")
        for raw in rows.raw:
            try:
                known = isinstance(raw, list | dict)
                row = parse(raw, market) if known else None
            except Exception:
                row = None
            rows.append(None if row is not None and _lost_time(raw, row) else row)
        return rows

    def parse_order_book(
        self, orderbook: Any, symbol: Any, *args: Any, **kwargs: Any
    ) -> Any:
        keys = list(args[1:3]) + ["bids", "asks"][len(args[1:3]) :]
        for default, key in zip(("bids", "asks"), keys, strict=True):
            key = kwargs.get(f"{default}Key", key)
            levels = _get(orderbook, key)
            # A text is a sequence too: ccxt reads "99" as price 9 and amount 9.
            if not isinstance(levels, list) or not all(
                isinstance(level, list | dict) for level in levels
            ):
                raise CorruptReply(
                    f"order book of {symbol}: {key!r} is no list of levels"
                )
        return super().parse_order_book(  # type: ignore[misc]
            orderbook, symbol, *args, **kwargs
        )


def _guarded(
    what: str, raw: Any, parse: Callable[[], Any], instead: Any
) -> Any:  # noqa: ANN401 - ccxt's own shapes
    """`parse()`, or `instead` and a note in the call's record if it cannot be done."""
    try:
        return parse()
    except AppError:
        raise
    except Exception as error:
        reason = f"unreadable: {type(error).__name__}: {describe(error)}"
        name = _get(raw, "symbol")
        symbol = name if isinstance(name, str) else ""
        rule = RejectionRule.ITEM_UNREADABLE
        current_record().rejected.append(reject(symbol, what, rule, raw, reason=reason))
        return instead


def _items(reply: Any, what: str) -> list[Any]:
    if not isinstance(reply, list) or isinstance(reply, Values):
        kind = "object" if isinstance(reply, Values) else type(reply).__name__
        raise CorruptReply(f"{what}: a list was asked for, not {kind}")
    _require_few(reply, what)
    return reply


def _require_few(items: Any, what: str) -> None:
    """Judging an item takes up to 0.1 ms, so a call must not be given millions."""
    if isinstance(items, list | dict) and len(items) > MAX_ITEMS:
        raise CorruptReply(f"{what}: {len(items)} items, at most {MAX_ITEMS} are read")


def _lost_time(raw: Any, row: Any) -> bool:
    """Whether ccxt cut the open time: 12:00:00.0005 is not the bar of 12:00."""
    try:
        sent = numbers.from_text(raw[0])
        return bool(0 < abs(sent - row[0]) < 1)
    except (ValueError, TypeError, LookupError, OverflowError):
        return False  # the venue writes its times in another form


def _get(document: Any, key: Any) -> Any:
    return document.get(key) if isinstance(document, dict) else None


def _path(url: str) -> str:
    return url.partition("?")[0]
