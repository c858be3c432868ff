"""`docs/configuration.md`: every key in tables, and how sources combine."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from pydantic import BaseModel

from app.config.keys import Key, all_keys, sections
from app.config.settings import Settings
from app.config.yaml_reader import MAX_DEPTH, MAX_FILE_BYTES
from scripts.doc_generators.default_text import default_of, has_default, yaml_text
from scripts.doc_generators.markdown import table

_INTRODUCTION = f"""\
# Configuration

Generated from the settings classes in `app/config` by `scripts/generate_docs.py`;
do not edit. `config.yaml.example` holds every key with its default.

## Where values come from

The later wins:

1. the defaults below;
2. one YAML file: `--config FILE`, else `$CRYPTO_BOT_CONFIG`, else `config.yaml` in
   the working folder if there is one;
3. `.env` in the working folder;
4. the environment.

A variable is `CRYPTO_BOT__` and the key in capitals with `__` for each dot:
`CRYPTO_BOT__RISK__RISK_PER_TRADE=0.02`. Keys of type text take the value literally;
all others read it as YAML, so a list is written `[1m, 5m]`. `DATABASE_URL`,
`DATABASE_PASSWORD` and `EXCHANGE_ID` are short names; the long name of the same key
wins over them, and an empty short name counts as not set.

Add `_FILE` to any of these names to read the value from a file, as container secrets
need: `DATABASE_PASSWORD_FILE=/run/secrets/database_password`. One trailing line end
is removed. A variable and its `_FILE` form together are refused.

Names with one underscore after `CRYPTO_BOT` (`CRYPTO_BOT_CONFIG`, ...) are not keys.

## What is refused

A command whose configuration is refused prints every problem at once, a line each,
and exits with code 78 before it does anything:

```text
{{example}}
```

- Unknown keys and unknown `CRYPTO_BOT__` variables, with the nearest valid key.
- Values of another type: `"5"` is not a number and `1` is not `true`.
- Values out of bounds, infinities and NaN.
- Duplicate keys, tags (`!!python/...`), anchors and aliases, nesting deeper than
  {MAX_DEPTH} levels, files over {MAX_FILE_BYTES // 1024} KiB or not in UTF-8.

YAML is read by its version 1.2 rules: `yes`, `on` and `010` are text, `1e-5` is a
number. Secret values appear as `***` in errors, logs, the terminal and the database.
"""

_EXAMPLE_KEYS = {
    "collector": {"histroy_bars": 500},
    "risk": {"risk_per_trade": 2},
    "application": {"log_level": "info"},
}


def render() -> str:
    """The whole document."""
    lines = [_INTRODUCTION.replace("{example}", _example_message())]
    lines += ["## Rules across keys", ""]
    lines += [f"- {where}: {rule}" for where, rule in _rules()]
    for path, model in sections().items():
        lines += ["", *_section(path, model)]
    for key in all_keys().values():
        if key.item is not None:
            lines += ["", *_section(f"{key.path}[]", key.item)]
    return "\n".join(lines) + "\n"


def _section(path: str, model: type[BaseModel]) -> list[str]:
    keys = [key for key in all_keys().values() if key.section == path]
    if not keys:
        return [f"## `{path}`", "", inspect.getdoc(model) or ""]
    header = ["Key", "Type", "Default", "Bound", "Meaning"]
    rows = [[*_cells(key)] for key in keys]
    if not path.endswith("[]"):
        header.append("Environment")
        for row, key in zip(rows, keys, strict=True):
            row.append(", ".join(f"`{name}`" for name in key.environment_names))
    return [f"## `{path}`", "", inspect.getdoc(model) or "", "", *table(header, rows)]


def _cells(key: Key) -> Iterator[str]:
    yield f"`{key.name}`"
    yield key.type_text
    yield f"`{yaml_text(default_of(key.field))}`" if has_default(key.field) else "none"
    yield key.bound_text
    yield key.field.description or ""


def _rules() -> Iterator[tuple[str, str]]:
    models: dict[str, type[BaseModel]] = {**sections(), "everywhere": Settings}
    for path, model in models.items():
        for validator in model.__pydantic_decorators__.model_validators.values():
            where = f"`{path}`" if path in sections() else path
            yield where, inspect.getdoc(validator.func) or ""


def _example_message() -> str:
    """A real message, so that this document cannot promise another one."""
    import json
    import tempfile
    from pathlib import Path

    from app.config.loader import ConfigLoader
    from app.domain.errors import ConfigurationError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps(_EXAMPLE_KEYS))  # JSON is YAML
        try:
            ConfigLoader(path, {}, dotenv=None).load()
        except ConfigurationError as error:
            return f"crypto-bot: {error}".replace(str(path), "config.yaml")
    raise AssertionError("the example configuration was accepted")
