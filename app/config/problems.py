"""What is wrong with a configuration, in the words of its keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.config.keys import all_keys, sections, unknown_key_text
from app.config.redaction import mask_urls

_SHOWN_LENGTH = 80
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of this size",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a finite number",
    "is_instance_of": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text (quote it)",
    "tuple_type": "a list, for example [a, b]",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
    "dataclass_type": "a section of keys",
}


def problem_lines(error: ValidationError, sources: Mapping[str, str]) -> list[str]:
    """One line an error; `sources` names the variable behind a key's value.

    Secret values, and values of keys that do not exist, are never shown.
    """
    return [_line(detail, sources) for detail in error.errors(include_url=False)]


def _line(detail: ErrorDetails, sources: Mapping[str, str]) -> str:
    path = _path(detail["loc"])
    generic = re.sub(r"\[\d+\]", "[]", path)
    if detail["type"] == "extra_forbidden":
        return f"{path}: {unknown_key_text(generic)}"
    if detail["type"] == "json_invalid":
        return "a text value is not valid Unicode"
    if detail["type"] == "value_error" and generic not in all_keys():
        # A rule across keys: its message names them itself.
        return str(detail["ctx"]["error"])
    source = sources.get(path.partition("[")[0])
    label = f"{path} (from {source})" if source else path
    return f"{label}: {_reason(detail, generic)}"


def _reason(detail: ErrorDetails, generic: str) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    shown = _show(detail["input"], generic)
    if kind == "missing":
        return "this key is required"
    if kind == "greater_than":
        return f"{shown} is not above the bound {context['gt']}"
    if kind == "greater_than_equal":
        return f"{shown} is below the bound {context['ge']}"
    if kind == "less_than":
        return f"{shown} is not below the bound {context['lt']}"
    if kind == "less_than_equal":
        return f"{shown} is above the bound {context['le']}"
    if kind in ("too_short", "string_too_short"):
        return f"{shown} is shorter than the bound {context['min_length']}"
    if kind in ("literal_error", "enum"):
        return f"{shown} is not one of {_choices(detail)}"
    if kind == "string_pattern_mismatch":
        return f"{shown} does not match {context['pattern']}"
    if kind.startswith("datetime") or kind.startswith("timezone"):
        return f"{shown} is not a time such as 2025-01-06T00:00:00Z"
    if kind == "value_error":
        return f"{shown}: {context['error']}"
    if kind in _EXPECTED:
        return f"{shown} is not {_EXPECTED[kind]}"
    return f"{shown}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _choices(detail: ErrorDetails) -> str:
    expected = str(detail["ctx"]["expected"])
    names = re.findall(r"'([^']*)'", expected)
    given = str(detail["input"])
    near = [name for name in names if name.lower() == given.lower()]
    near = near or difflib.get_close_matches(given, names, n=1)
    listed = ", ".join(names)
    return f"{listed}; did you mean {near[0]}?" if near else listed


def _show(value: Any, generic: str) -> str:
    """The given value, unless it is secret, unplaceable or a whole section."""
    key = all_keys().get(generic) or all_keys().get(generic.removesuffix("[]"))
    if isinstance(value, dict):
        return "a section of keys"
    if key is None or generic in sections():
        return "the value"
    if key.is_secret:
        return "***"
    if isinstance(value, (list, tuple)) and value:
        return "a list"
    text = "null" if value is None else mask_urls(_literal(value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")
