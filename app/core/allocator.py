"""How the C library gives memory back, for processes that run for months."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# glibc raises its threshold for memory of its own mapping to the largest block freed
# so far, and keeps an arena a thread: buffers of replies then break the heap up, and a
# process grows for days without holding more. Fixed, what is freed goes back. Other C
# libraries do not read these. See mallopt(3).
ALLOCATOR: Mapping[str, str] = MappingProxyType(
    {
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": "131072",
        "MALLOC_TRIM_THRESHOLD_": "131072",
    }
)
