"""A hostile or damaged file is refused, without running or repeating it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.config.loader import ConfigLoader
from app.config.settings import Settings
from app.config.yaml_reader import MAX_FILE_BYTES, YamlProblem, parse_yaml, read_yaml
from app.core.exceptions import ConfigurationError
from tests.config.mutations import EXAMPLE

_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("risk: {}\nrisk: {}", "line 2, column 1: duplicate key 'risk'"),
        ("a: {b: 1, b: 2}", "duplicate key 'b'"),
        (_BOMB, "anchors and aliases are refused"),
        ("a: *b", "anchors and aliases are refused"),
        ("a: !!python/object/apply:os.system [exit 3]", "tags are refused"),
        ("a: !secret x", "tags are refused"),
        ("1: a", "a key must be text"),
        ("? [a]\n: b", "a key must be text"),
        ("a: [", "line 1"),
        ("a: 1\n---\nb: 2", "line 2"),
        ("a: " + "[" * 5000, "nested more than"),
        ("a: " + "9" * 5000, "too many digits"),
        ("a: \x00", "not allowed"),
    ],
)
def test_what_is_not_plain_data_is_refused(text: str, problem: str) -> None:
    with pytest.raises(YamlProblem, match=problem.replace("[", r"\[")):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("010", "010"),
        ("10:30", "10:30"),
        ("2025-01-05", "2025-01-05"),
        ("<<", "<<"),
        ("1e-5", 1e-5),
        ("-.5", -0.5),
        ("1_000", 1000),
        ("true", True),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    parsed = parse_yaml(text)
    assert parsed == value and type(parsed) is type(value)


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.read_bytes())
    assert ConfigLoader(path, {}, dotenv=None).load() == Settings()


def test_a_file_above_the_cap_or_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(YamlProblem, match="larger than the bound 1048576 bytes"):
        read_yaml(path)
    path.write_bytes("risk: {}".encode("utf-16"))
    with pytest.raises(YamlProblem, match="byte 0 is not UTF-8"):
        read_yaml(path)


def test_a_file_cut_anywhere_loads_or_is_refused_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    content = EXAMPLE.read_bytes()
    for length in range(0, len(content), 61):
        path.write_bytes(content[:length])
        try:
            ConfigLoader(path, {}, dotenv=None).load()
        except ConfigurationError as error:
            assert str(path) in str(error)


@given(st.text(max_size=200))
def test_any_text_is_data_or_a_problem(text: str) -> None:
    try:
        value = parse_yaml(text)
    except YamlProblem:
        return
    assert value is None or isinstance(value, (dict, list, str, int, float, bool))


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(_PLAIN)
def test_plain_data_survives_a_round_trip(data: object) -> None:
    # Quoted, so that both YAML versions agree on what is text.
    text = yaml.safe_dump(data, default_style=None, allow_unicode=True, width=10_000)
    quoted = yaml.safe_dump(data, default_style='"')
    if "&" not in text and "!!" not in quoted:
        assert parse_yaml(quoted) == data
