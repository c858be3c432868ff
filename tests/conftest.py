"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# The same examples at every run; `--hypothesis-profile random` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("random", derandomize=False, deadline=None)
hypothesis.settings.load_profile("same")

pytest_plugins = ("tests.database_fixtures",)

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recorded market data; tests that need it are skipped without it."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("recorded market data is not on this machine")
    return _SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests begin first, so that no worker waits for one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
