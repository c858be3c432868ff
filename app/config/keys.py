"""Every key of the configuration, read off the settings classes."""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass
from enum import Enum
from functools import cache

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from app.config.settings import Settings

ENVIRONMENT_PREFIX = "CRYPTO_BOT__"
SHORT_NAMES = {
    "DATABASE_URL": "database.url",
    "DATABASE_PASSWORD": "database.password",
    "EXCHANGE_ID": "exchange.id",
}


@dataclass(frozen=True)
class Key:
    """One leaf of the settings; `[]` in `path` stands for any place in a list.

    `item` is set on a key that is a list of sections: their keys follow it.
    """

    path: str
    field: FieldInfo
    item: type[BaseModel] | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def section(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def is_secret(self) -> bool:
        return self.field.annotation is SecretStr

    @property
    def is_text(self) -> bool:
        """Whether an environment value is taken literally instead of as YAML."""
        return self.field.annotation in (str, SecretStr)

    @property
    def in_list(self) -> bool:
        return "[]" in self.path

    @property
    def environment_names(self) -> tuple[str, ...]:
        """Variables that set this key; none for keys inside a list."""
        if self.in_list:
            return ()
        own = ENVIRONMENT_PREFIX + self.path.upper().replace(".", "__")
        short = [name for name, path in SHORT_NAMES.items() if path == self.path]
        return (*short, own)

    @property
    def type_text(self) -> str:
        return _type_text(self.field.annotation)

    @property
    def bound_text(self) -> str:
        """The bounds as a reader writes them, for example `> 0, <= 0.2`."""
        signs = {Gt: (">", "gt"), Ge: (">=", "ge"), Lt: ("<", "lt"), Le: ("<=", "le")}
        parts: list[str] = []
        for rule in self.field.metadata:
            if type(rule) in signs:
                sign, name = signs[type(rule)]
                parts.append(f"{sign} {getattr(rule, name)}")
            elif isinstance(rule, MinLen):
                parts.append(f"at least {rule.min_length} long")
            elif isinstance(rule, MaxLen):
                parts.append(f"at most {rule.max_length} long")
            elif getattr(rule, "pattern", None):
                parts.append(f"matches `{rule.pattern}`")
        return ", ".join(parts)


@cache
def all_keys() -> dict[str, Key]:
    """Path to key, in the order of the settings classes."""
    return {key.path: key for key in _walk(Settings, "")}


@cache
def sections() -> dict[str, type[BaseModel]]:
    """Path to class of every section that holds keys or sections (not lists)."""
    found: dict[str, type[BaseModel]] = {}

    def visit(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            if _is_section(field.annotation):
                found[prefix + name] = field.annotation
                visit(field.annotation, f"{prefix}{name}.")

    visit(Settings, "")
    return found


def nearest_key(path: str) -> str | None:
    """The valid key or section that was probably meant by `path`, if any is near.

    The same section is preferred, then the same name elsewhere, then the whole path.
    """
    known = [*all_keys(), *sections()]
    section, _, name = path.rpartition(".")
    siblings = {
        k.rpartition(".")[2]: k for k in known if k.rpartition(".")[0] == section
    }
    leaves = {known_path.rpartition(".")[2]: known_path for known_path in known}
    for choices in (siblings, leaves):
        match = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
        if match:
            return choices[match[0]]
    whole = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    return whole[0] if whole else None


def unknown_key_text(path: str) -> str:
    """`unknown key; did you mean ...?`, or what its section does hold."""
    nearest = nearest_key(path)
    if nearest is not None:
        return f"unknown key; did you mean {nearest}?"
    section = path.rpartition(".")[0]
    while section and section not in sections():
        section = section.rpartition(".")[0]
    depth = section.count(".") + 1 if section else 0
    names = [
        known.split(".")[depth]
        for known in all_keys()
        if not section or known.startswith(f"{section}.")
    ]
    return f"unknown key; valid here: {', '.join(dict.fromkeys(names))}"


def _walk(model: type[BaseModel], prefix: str) -> typing.Iterator[Key]:
    for name, field in model.model_fields.items():
        path = prefix + name
        item = _item_section(field.annotation)
        if _is_section(field.annotation):
            yield from _walk(field.annotation, f"{path}.")
        elif item is not None:
            yield Key(path, field, item)
            yield from _walk(item, f"{path}[].")
        else:
            yield Key(path, field)


def _is_section(annotation: object) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _item_section(annotation: object) -> type[BaseModel] | None:
    if typing.get_origin(annotation) is tuple:
        item = typing.get_args(annotation)[0]
        if _is_section(item):
            return item
    return None


def _type_text(annotation: object) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_text(arguments[0])
    if origin is tuple:
        return f"list of {_type_text(arguments[0])}"
    if origin is dict:
        return "map of names"
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        inner = [_type_text(a) for a in arguments if a is not type(None)]
        return " or ".join([*inner, "null"])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(f"`{choice.value}`" for choice in annotation)
    if _is_section(annotation):
        return "section"
    names = {"str": "text", "SecretStr": "secret text", "int": "whole number"}
    names |= {"float": "number", "Decimal": "number", "bool": "true or false"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, "time with zone" if name == "datetime" else name)
