"""Virtual time: never backwards, remembered, and still at the end."""

from __future__ import annotations

import json
from pathlib import Path

from app.replay.virtual_clock import VirtualClock

START = 1_736_121_120_000


def clock(path: Path | None = None, market: str = "a", **kept: int) -> VirtualClock:
    return VirtualClock(START, 1000.0, kept.get("ends_ms"), path, market)


def test_a_later_clock_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "clock.json"
    first = clock(path)
    assert not first.resumed and START <= first.now_ms() < START + 10_000_000
    first.save(ahead=False)
    stopped_at = json.loads(path.read_text())["virtual_ms"]
    second = clock(path)
    assert second.resumed and second.now_ms() >= stopped_at >= START


def test_time_does_not_run_backwards_after_a_death_between_saves(
    tmp_path: Path,
) -> None:
    path = tmp_path / "clock.json"
    first = clock(path)
    first.save()
    last_seen = first.now_ms()
    assert clock(path).now_ms() >= last_seen


def test_the_place_in_another_market_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    first = clock(path, "a")
    first.save()
    assert not clock(path, "b").resumed


def test_an_unreadable_state_file_means_a_fresh_start(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    for text in ("", "{", "[]", '{"virtual_ms": "x"}', '{"virtual_ms": null}'):
        path.write_text(text)
        assert not clock(path).resumed


def test_time_saturates_at_the_end() -> None:
    ended = clock(ends_ms=START)
    assert ended.now_ms() == START
    reading = ended.reading()
    assert reading["virtual_ms"] == reading["ends_ms"] == START


def test_a_reading_places_one_instant_on_both_scales() -> None:
    running = clock()
    before, after = running.reading(), running.reading()
    assert before["speed"] == 1000.0 and before["ends_ms"] is None
    real = int(str(after["real_ms"])) - int(str(before["real_ms"]))
    virtual = int(str(after["virtual_ms"])) - int(str(before["virtual_ms"]))
    assert abs(virtual - real * 1000) <= 2000
