"""Strict YAML: plain data only, nothing executed, nothing silently overwritten.

Scalars follow YAML 1.2's core schema rather than PyYAML's 1.1: `1e-5` is a number,
`yes` and `010` are text, and a time stays text until the settings parse it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

MAX_FILE_BYTES = 1024 * 1024
MAX_DEPTH = 32


class YamlProblem(ValueError):
    """A document that is refused; the text names the place, never the content."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader without anchors, tags, duplicate keys or bottomless nesting."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise YamlProblem(_at(event.start_mark, "anchors and aliases are refused"))
        if getattr(event, "tag", None) is not None:
            raise YamlProblem(_at(event.start_mark, "tags are refused"))
        if self._depth >= MAX_DEPTH:
            raise YamlProblem(
                _at(event.start_mark, f"nested more than {MAX_DEPTH} levels deep")
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:str":
                raise YamlProblem(_at(key_node.start_mark, "a key must be text"))
            if key_node.value in seen:
                raise YamlProblem(
                    _at(key_node.start_mark, f"duplicate key {key_node.value!r}")
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


_CORE_SCHEMA = [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?|\.[0-9][0-9_]*)"
        r"(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
]
for _name, _pattern, _first in _CORE_SCHEMA:
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_first)
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a UTF-8 file (byte order mark tolerated); empty file: `{}`.

    Raises YamlProblem for anything else; OSError passes through.
    """
    with path.open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise YamlProblem(f"the file is larger than the bound {MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlProblem(f"byte {error.start} is not UTF-8 text") from None
    data = parse_yaml(text)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise YamlProblem("the file must hold `section:` keys at its top level")
    return data


def parse_yaml(text: str) -> Any:
    """The plain data (dict, list, str, int, float, bool, None) in `text`."""
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        # PyYAML quotes the offending lines in str(error); they may hold a secret.
        problem = error.problem or "not YAML"
        if problem.startswith("found undefined"):
            problem = "tags and aliases are refused"
        raise YamlProblem(_at(error.problem_mark, problem)) from None
    except yaml.reader.ReaderError as error:
        raise YamlProblem(
            f"character {error.position} is not allowed in YAML"
        ) from None
    except RecursionError:
        raise YamlProblem(f"nested more than {MAX_DEPTH} levels deep") from None
    except YamlProblem:
        raise
    except ValueError:
        raise YamlProblem("a number has too many digits") from None


def _at(mark: yaml.Mark | None, problem: str) -> str:
    if mark is None:
        return problem
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
