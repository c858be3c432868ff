"""HTTP session whose replies are bounded in size and free of absurd numerals."""

from __future__ import annotations

import re
import ssl

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from app.core.exceptions import CorruptReply
from app.exchange.call_record import current_record, current_request

MAX_DIGITS = 100
# Binance's longest document, its market list, has about 80,000 and 600,000.
MAX_CONTAINERS = 400_000
MAX_COMMAS = 3_000_000

# Every byte that may stand in a numeral becomes `0`, `e` or `-`, others a blank, so
# that one substring search over the reply finds what no honest number contains.
_NUMERAL_BYTES = bytes(
    (
        ord("0")
        if chr(code) in "0123456789."
        else ord("e") if chr(code) in "eE" else ord("-") if chr(code) in "+-" else 32
    )
    for code in range(256)
)
_SUSPICIOUS = (b"0" * (MAX_DIGITS + 1), b"0e0000", b"0e-0000")
_NUMERAL = rb"[+-]?(?:[0-9.]{101,}(?:[eE][+-]?[0-9]*)?|[0-9.]+[eE][+-]?[0-9]{4,})"
_ABSURD = re.compile(
    rb'"(?P<quoted>' + _NUMERAL + rb')"'
    rb"|(?<=[\[:,\s])(?P<bare>" + _NUMERAL + rb")(?=\s*[,\]}])"
)

# What JSON allows to stand without quotes: a note must not make a document of a body
# that is none.
_JSON_NUMERAL = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def defuse_numerals(body: bytes) -> bytes:
    """Replace numerals of over 100 digits or a 4-digit exponent by a quoted note.

    ccxt computes with such a number exactly: `1e30000000` costs it over 10 seconds of
    CPU. The note is no number, so that only the item which carries it is refused.
    """
    shape = body.translate(_NUMERAL_BYTES)
    if not any(mark in shape for mark in _SUSPICIOUS):
        return body
    return _ABSURD.sub(_note, body)


def _note(match: re.Match[bytes]) -> bytes:
    numeral = match["quoted"] or match["bare"]
    if match["bare"] and not _JSON_NUMERAL.fullmatch(numeral):
        return match[0]
    return b'"refused numeral ' + numeral[:40] + b'"'


class BoundedResponse(aiohttp.ClientResponse):
    """A response that stops reading at `max_body_bytes`, counted uncompressed."""

    max_body_bytes = 16 * 1024 * 1024

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """The body as text.

        Raises CorruptReply as soon as the body is known to be too long; the
        connection is then closed, so the rest is never received.
        """
        most = min(
            self.max_body_bytes, current_record().most_body_bytes or self.max_body_bytes
        )
        if (self.content_length or 0) > most:
            raise self._too_long(f"announces {self.content_length}", most)
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.content.iter_any():
            size += len(chunk)
            if size > most:
                raise self._too_long("sends more", most)
            chunks.append(chunk)
        try:
            body = b"".join(chunks)
            self._refuse_many_parts(body)
            return defuse_numerals(body).decode(encoding or "utf-8", errors)
        finally:
            self.release()

    def _refuse_many_parts(self, body: bytes) -> None:
        # A short body may hold millions of empty lists: 50 times its size in memory.
        if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
            raise self._refusal(f"has over {MAX_CONTAINERS} lists and objects")
        if body.count(b",") > MAX_COMMAS:
            raise self._refusal(f"has over {MAX_COMMAS} values")

    def _too_long(self, what: str, most: int) -> CorruptReply:
        self.close()
        return self._refusal(f"{what} bytes, at most {most} are read")

    def _refusal(self, what: str) -> CorruptReply:
        return CorruptReply(f"{self.url.host}{self.url.path}: the reply {what}")


class PermittedConnector(aiohttp.TCPConnector):
    """Hands out a connection only for a request that may leave now.

    This is the last moment before a request is written, and one that the client's own
    repetition of a request passes too.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        permit = current_request().permit
        if permit is not None:
            try:
                permit.use()
            except BaseException:
                connection.release()
                raise
        return connection


def open_session(max_body_bytes: int, connections: int) -> aiohttp.ClientSession:
    """A session for ccxt: certificates from certifi, bounded replies, permits."""
    import certifi

    response_class = type(
        "BoundedResponse", (BoundedResponse,), {"max_body_bytes": max_body_bytes}
    )
    connector = PermittedConnector(
        ssl=ssl.create_default_context(cafile=certifi.where()), limit=connections
    )
    return aiohttp.ClientSession(
        connector=connector,
        response_class=response_class,
        middlewares=(_refuse_redirects,),
    )


async def _refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A redirect could lead anywhere, a private address included."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise CorruptReply(
            f"{request.url.host}{request.url.path}: status {response.status}, "
            "redirects are not followed"
        )
    return response
