"""Why an item of a reply was refused: rules no market can break."""

from __future__ import annotations

from enum import Enum


class RejectionRule(str, Enum):
    """Stable ids of the rules; stored, so never renamed."""

    NOT_A_CANDLE = "not_a_candle"
    TIME_NOT_MILLISECONDS = "time_not_milliseconds"
    TIME_IN_FUTURE = "time_in_future"
    TIME_OFF_GRID = "time_off_grid"
    PRICE_NOT_FINITE = "price_not_finite"
    PRICE_NOT_POSITIVE = "price_not_positive"
    VOLUME_NOT_FINITE = "volume_not_finite"
    VOLUME_NEGATIVE = "volume_negative"
    HIGH_BELOW_LOW = "high_below_low"
    CONTRADICTS_LATER_ROW = "contradicts_later_row"
    OUTSIDE_FILE_PERIOD = "outside_file_period"
    FILE_NOT_ASCENDING = "file_not_ascending"
    FILE_LINE_CUT = "file_line_cut"
    ITEM_UNREADABLE = "item_unreadable"
    ITEM_IMPOSSIBLE = "item_impossible"
    REPLY_UNREADABLE = "reply_unreadable"

    def __str__(self) -> str:
        return self.value

    @property
    def sentence(self) -> str:
        """What the rule asks for, or what it found, in words."""
        return _SENTENCES[self]


_SENTENCES: dict[RejectionRule, str] = {
    RejectionRule.NOT_A_CANDLE: "a candle is a row of at least 6 numbers",
    RejectionRule.TIME_NOT_MILLISECONDS: (
        "open time is no epoch in milliseconds of 2009 to 2099"
    ),
    RejectionRule.TIME_IN_FUTURE: "open time lies in the future",
    RejectionRule.TIME_OFF_GRID: "open time is not on the grid of its time frame",
    RejectionRule.PRICE_NOT_FINITE: "prices must be finite numbers",
    RejectionRule.PRICE_NOT_POSITIVE: "prices must be above 0",
    RejectionRule.VOLUME_NOT_FINITE: "volume must be a finite number",
    RejectionRule.VOLUME_NEGATIVE: "volume must be at least 0",
    RejectionRule.HIGH_BELOW_LOW: "high is below low",
    RejectionRule.CONTRADICTS_LATER_ROW: (
        "a later row of the same reply gives other values"
    ),
    RejectionRule.OUTSIDE_FILE_PERIOD: "open time lies outside the file's period",
    RejectionRule.FILE_NOT_ASCENDING: (
        "open time is not after those of the rows above it in the file"
    ),
    RejectionRule.FILE_LINE_CUT: (
        "the file's last line has no line end: it may have been cut"
    ),
    RejectionRule.ITEM_UNREADABLE: "the item has another shape than the venue's own",
    RejectionRule.ITEM_IMPOSSIBLE: "the item says what cannot be true",
    RejectionRule.REPLY_UNREADABLE: "the reply is not the document asked for",
}


class Resolution(str, Enum):
    """How a refused item was settled; stored, so never renamed."""

    STORED = "stored"
    REPLACED = "replaced"
    ACCEPTABLE = "acceptable"

    def __str__(self) -> str:
        return self.value
