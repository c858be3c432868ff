"""Seeded generators for any point of the market, without drawing what precedes it."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, name: str, purpose: str, index: int) -> np.random.Generator:
    """A generator that depends on its four keys alone.

    Philox is counter based, so two keys never share a stream.
    """
    keys = (seed, crc32(name.encode()), crc32(purpose.encode()), index)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(keys)))


def chance(seed: int, name: str, purpose: str, index: int) -> float:
    """A number in [0, 1) that depends on the four keys alone."""
    return crc32(f"{seed}|{name}|{purpose}|{index}".encode()) / 2**32
