"""Damage to a body as bytes: what a bad line, cable or proxy makes of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Damage = Callable[[bytes, Random], bytes]

_TOKENS = (
    *(b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b'""', b"[]", b"{}"),
    *(b"1e400", b"-1e400", b"1e30000000", b"9" * 300, b"-0", b"1_000", b"0x1f"),
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"\\ud800"', b"\\u0000"),
    *(b"]", b"[", b"}", b"{", b",", b":", b'"', b"\\", b".", b"_", b"e", b"-", b" "),
)
_BODIES = (
    *(b"", b" ", b"null", b"[]", b"{}", b"[[]]", b"[null]", b'""', b"0", b"true"),
    b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    b'{"code":-1003,"msg":"Too much request weight used; please use WebSocket."}',
    b'{"code":-1121,"msg":"Invalid symbol."}',
    b'{"code":-1000,"msg":"An unknown error occurred."}',
    b'{"code":"0","msg":null,"data":[]}',
    b'{"success":false,"msg":"\\u0000"}',
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
)
_DEPTHS = (2, 64, 1023, 1024, 1025, 10_000)


def flip_bits(body: bytes, rng: Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def set_bytes(body: bytes, rng: Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 4))):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def set_digits(body: bytes, rng: Random) -> bytes:
    """Characters that numbers are made of, so that the document often stays one."""
    damaged = bytearray(body)
    for _ in range(rng.choice((1, 2, 4))):
        damaged[rng.randrange(len(damaged))] = rng.choice(b"0123456789.-+eE_ ")
    return bytes(damaged)


def truncate(body: bytes, rng: Random) -> bytes:
    return body[: rng.randrange(len(body))]


def delete_slice(body: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(body))
    return body[:start] + body[start + rng.choice((1, 2, 8, 64, 512)) :]


def repeat_slice(body: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(body))
    end = start + rng.choice((1, 2, 8, 64, 512))
    return body[:end] + body[start:end] * rng.choice((1, 1, 2, 20)) + body[end:]


def move_slice(body: bytes, rng: Random) -> bytes:
    first, second, third = sorted(rng.randrange(len(body) + 1) for _ in range(3))
    return body[:first] + body[second:third] + body[first:second] + body[third:]


def insert_token(body: bytes, rng: Random) -> bytes:
    where = rng.randrange(len(body) + 1)
    return body[:where] + rng.choice(_TOKENS) + body[where:]


def replace_numeral(body: bytes, rng: Random) -> bytes:
    """A token where a number begins."""
    where = rng.randrange(len(body))
    end = where
    while end < len(body) and body[end] in b"0123456789.-+eE":
        end += 1
    return body[:where] + rng.choice(_TOKENS) + body[end:]


def other_body(body: bytes, rng: Random) -> bytes:
    if rng.random() < 0.3:
        depth = rng.choice(_DEPTHS)
        opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
        return opening * depth + b"1" + closing * depth
    return rng.choice(_BODIES)


def wrap(body: bytes, rng: Random) -> bytes:
    before, after = rng.choice(
        ((b"[", b"]"), (b'{"data":', b"}"), (b"\xef\xbb\xbf", b""), (b" \n", b"\t "))
    )
    return before + body + after


DAMAGES: tuple[Damage, ...] = (
    *(flip_bits, flip_bits, set_bytes, set_digits, set_digits, truncate),
    *(delete_slice, repeat_slice, move_slice, insert_token, replace_numeral),
    *(other_body, wrap),
)
