"""Seeded generators for any point of the market, without drawing what precedes it."""

from __future__ import annotations

from hashlib import blake2b
from zlib import crc32

import numpy as np


def generator(seed: int, name: str, purpose: str, index: int) -> np.random.Generator:
    """A generator that depends on its four keys alone.

    Philox is keyed by 128 bits, so two keys never share a stream.
    """
    text = f"{seed}|{name}|{purpose}|{index}".encode()
    key = int.from_bytes(blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))


def chance(seed: int, name: str, purpose: str, index: int) -> float:
    """A number in [0, 1) that depends on the four keys alone."""
    return crc32(f"{seed}|{name}|{purpose}|{index}".encode()) / 2**32
