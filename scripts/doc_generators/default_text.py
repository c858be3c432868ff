"""How a default is written in YAML."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.config.yaml_reader import YamlProblem, parse_yaml


def has_default(field: FieldInfo) -> bool:
    """Whether the key may be left out."""
    return not field.is_required()


def default_of(field: FieldInfo) -> Any:
    """The key's default, an instance of its type."""
    value = field.get_default(call_default_factory=True, validated_data={})
    assert value is not PydanticUndefined
    return value


def yaml_text(value: Any) -> str:
    """`value` on one line of YAML that reads back as the same value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return _text(str(value.value), in_flow=True)
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, SecretStr):
        return _text(value.get_secret_value())
    if isinstance(value, BaseModel):
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        return "{" + ", ".join(f"{n}: {yaml_text(v)}" for n, v in fields) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{n}: {yaml_text(v)}" for n, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(yaml_text(item) for item in value) + "]"
    return _text(str(value))


def _text(value: str, in_flow: bool = False) -> str:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    plain = f"[{value}]" if in_flow else value
    try:
        same = parse_yaml(plain) == ([value] if in_flow else value)
    except YamlProblem:
        same = False
    return value if same and value else quoted
