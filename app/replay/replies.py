"""Replies and refusals in Binance's form."""

from __future__ import annotations

import json

from aiohttp import web


class BinanceError(Exception):
    """A request the exchange refuses: an error code of theirs and its text."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def json_reply(document: object, status: int = 200) -> web.Response:
    """A compact JSON body, as the exchange sends it."""
    text = json.dumps(document, separators=(",", ":"))
    return text_reply(text, status)


def text_reply(text: str, status: int = 200) -> web.Response:
    """A body that is JSON already."""
    return web.Response(
        body=text.encode(),
        status=status,
        headers={"Content-Type": "application/json;charset=UTF-8"},
    )


def error_reply(error: BinanceError) -> web.Response:
    """The exchange's error document."""
    return json_reply({"code": error.code, "msg": error.message}, error.status)


def invalid_symbol() -> BinanceError:
    return BinanceError(-1121, "Invalid symbol.")


def missing_parameter(name: str) -> BinanceError:
    return BinanceError(
        -1102,
        f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
    )


def illegal_parameter(name: str) -> BinanceError:
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")
