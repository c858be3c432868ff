"""Changes of a document that stays JSON: what a bad server or a new version sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import orjson

# Texts `json` cannot write as bare tokens; put in after the document is written.
_RAW = "@raw:{}@"
_RAW_TOKENS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e30000000", "1e-30000000"),
    *("9" * 25, "9" * 300, "-" + "9" * 5000, "0." + "0" * 150 + "1", "1e5", "1E+2"),
    *("-0", "-0.0", "1.7e12", "18446744073709551616", "1e22", "123456789012345678.5"),
)
_POISON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**53 + 1, 2**63, 2**64 - 1, 10**20),
    *("", " ", "0", "-0", "NaN", "nan", "inf", "Infinity", "-inf", "1e400", "1e-400"),
    *("1e30000000", "9" * 300, "9" * 5000, "0." + "0" * 150 + "1", "null", "true"),
    *("1_000", "_1", "1,5", "1.2.3", "0x10", "1e", "--1", "+1.5", ".5", "5.", " 7 "),
    *("\u0661\u0662", "\uff11\uff12", "1\u00a0000", "\u221e", "\u2212" + "5", "\x00"),
    *("\ud800", "\U0001f680", "BTC/USDT'; DROP TABLE x--", "../../etc", "A" * 100),
    *([], {}, [[]], [1, 2], {"a": 1}, ["1", "2"], {"0": "1", "1": "2"}),
)


def _poison(rng: Random) -> Any:
    """A value of its own: the document around it may be changed further."""
    return deepcopy(rng.choice(_POISON))


def _tweak(value: Any, rng: Random) -> Any:
    """Something near the value: another unit, type, sign or size."""
    if isinstance(value, bool) or value is None:
        return _poison(rng)
    if isinstance(value, str):
        return rng.choice(_TEXT_TWEAKS)(value)
    if isinstance(value, int | float):
        return rng.choice(_NUMBER_TWEAKS)(value)
    return _poison(rng)


_TEXT_TWEAKS: tuple[Callable[[str], Any], ...] = (
    lambda text: "-" + text,
    lambda text: "+" + text,
    lambda text: f" {text}",
    lambda text: text + "\n",
    lambda text: text + "0" * 120,
    lambda text: text.replace(".", ""),
    lambda text: text.replace(".", ","),
    lambda text: text.replace(".", "_", 1),
    lambda text: text + "e3",
    lambda text: text + "e-7",
    lambda text: text[::-1],
    lambda text: text.lower(),
    lambda text: "".join(chr(0x660 + int(c)) if c in "0123456789" else c for c in text),
    lambda text: float(text) if text.replace(".", "", 1).isdigit() else [text],
    lambda text: [text],
)
_NUMBER_TWEAKS: tuple[Callable[[Any], Any], ...] = (
    lambda number: number * 1000,  # milliseconds as microseconds
    lambda number: number * 1_000_000,
    lambda number: number // 1000,
    lambda number: number / 1000,
    lambda number: number + 1,
    lambda number: number - 1,
    lambda number: number + 0.5,
    lambda number: f"{number}.5",
    lambda number: number + 60_000,
    lambda number: number - 86_400_000,
    lambda number: number + 3_600_000_000,
    lambda number: -number,
    lambda number: str(number),
    lambda number: f"{number}.0",
    lambda number: float(number),
    lambda number: [number],
)


def change(document: Any, rng: Random) -> bytes:
    """The document as JSON bytes, with one to three changes."""
    raw: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = _change_once(document, rng, raw)
    body = _written(document, is_ascii=rng.random() < 0.2)
    for number, token in enumerate(raw):
        body = body.replace(f'"{_RAW.format(number)}"'.encode(), token.encode())
    return body


def _written(document: Any, is_ascii: bool) -> bytes:
    if not is_ascii:
        try:
            return orjson.dumps(document)
        except TypeError:
            pass  # a number over 64 bits, or a lone surrogate
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=is_ascii)
    return text.encode("utf-8", "surrogatepass")


def _change_once(document: Any, rng: Random, raw: list[str]) -> Any:
    parent, key = _pick(document, rng)
    if parent is None:
        return _poison(rng)
    value = parent[key]
    match rng.randrange(12):
        case 0 | 1 | 2:
            parent[key] = _tweak(value, rng)
        case 3 | 4:
            parent[key] = _poison(rng)
        case 5:
            raw.append(rng.choice(_RAW_TOKENS))
            parent[key] = _RAW.format(len(raw) - 1)
        case 6:
            del parent[key]
        case 7 if isinstance(parent, dict):
            parent[rng.choice((key.upper(), key + "s", "", "data"))] = parent.pop(key)
        case 8:
            other = rng.choice(
                list(parent) if isinstance(parent, dict) else _all(parent)
            )
            parent[key], parent[other] = parent[other], value
        case _:
            return _change_rows(document, rng)
    return document


def _change_rows(document: Any, rng: Random) -> Any:
    """Rows doubled, lost, moved, contradicting one another."""
    lists = [document] if isinstance(document, list) else []
    if isinstance(document, dict):
        lists = [each for each in document.values() if isinstance(each, list)]
    rows = rng.choice(lists or [[]])
    if not rows:
        return [document]
    row = rng.choice(rows)
    match rng.randrange(10):
        case 0:
            rows.reverse()
        case 1:
            rng.shuffle(rows)
        case 2:
            rows.append(row)
        case 3:
            rows.insert(rng.randrange(len(rows) + 1), row)
        case 4:
            rows.remove(row)
        case 5 if isinstance(row, list | dict) and row:
            copy = row[:] if isinstance(row, list) else dict(row)
            at = rng.choice(_all(copy) if isinstance(copy, list) else list(copy))
            copy[at] = _tweak(copy[at], rng)
            rows.insert(rng.randrange(len(rows) + 1), copy)
        case 6:
            rows.insert(rng.randrange(len(rows) + 1), _poison(rng))
        case 7:
            rows *= rng.choice((2, 3, 40))
        case 8 if isinstance(row, list):
            row += rng.choice((["0"], [None] * 3, row))
        case _:
            rows[:] = rows[: rng.randrange(len(rows) + 1)]
    return document


def _pick(document: Any, rng: Random) -> tuple[Any, Any]:
    """A random place in the document: its container and its key there."""
    parent, key, node = None, None, document
    while isinstance(node, list | dict) and node:
        if parent is not None and rng.random() < 0.1:
            break
        parent = node
        key = rng.choice(_all(node) if isinstance(node, list) else list(node))
        node = parent[key]
    return parent, key


def _all(items: list[Any]) -> range:
    return range(len(items))
