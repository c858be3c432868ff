"""Indicators, one class each, grouped by what they measure."""
