"""`docs/data-dictionary.md`: every table, from the models' own comments."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from app.models import BaseModel
from scripts.doc_generators.markdown import table

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_INTRODUCTION = """\
# Data dictionary

Generated from the models in `app/models` by `scripts/generate_docs.py`; do not edit.
All times are UTC. `timestamp` names a bar by its **open** time, `known_at` says when
we first had a value. Money is `NUMERIC`, prices and volumes of bars are doubles.
"""


def render() -> str:
    """The whole document."""
    tables = sorted(BaseModel.metadata.tables.values(), key=lambda t: t.name)
    lines = [_INTRODUCTION, "## How the tables relate", "", *_diagram(tables)]
    lines += ["", "## Enumerated types", "", *_enums(tables)]
    for one in tables:
        lines += ["", *_table(one)]
    return "\n".join(lines) + "\n"


def _diagram(tables: list[sa.Table]) -> list[str]:
    lines = ["```mermaid", "erDiagram"]
    for one in tables:
        for column in one.columns:
            lines += [f"    {relation}" for relation in _relations(one, column)]
    for one in tables:
        lines.append(f"    {one.name} {{")
        lines += [f"        {_mermaid_column(column)}" for column in one.columns]
        lines.append("    }")
    note = "A dotted line is a reference without a foreign key, for bulk speed."
    return [*lines, "```", "", note]


def _relations(one: sa.Table, column: sa.Column[object]) -> Iterator[str]:
    optional = "o|" if column.nullable else "||"
    for key in column.foreign_keys:
        yield f"{key.column.table.name} {optional}--o{{ {one.name} : {column.name}"
    if column.name == "cryptocurrency_id" and not column.foreign_keys:
        yield f"cryptocurrencies {optional}..o{{ {one.name} : {column.name}"


def _mermaid_column(column: sa.Column[object]) -> str:
    name = _type(column).split("(")[0].replace(" ", "_").lower()
    kinds = ["PK"] if column.primary_key else []
    kinds += ["FK"] if column.foreign_keys else []
    return f"{name} {column.name} {', '.join(kinds)}".rstrip()


def _enums(tables: list[sa.Table]) -> list[str]:
    found = {
        column.type.name: column.type.enums
        for one in tables
        for column in one.columns
        if isinstance(column.type, sa.Enum)
    }
    rows = [
        (f"`{name}`", ", ".join(f"`{value}`" for value in values))
        for name, values in sorted(found.items(), key=lambda item: str(item[0]))
    ]
    return table(["Type", "Values"], rows)


def _table(one: sa.Table) -> list[str]:
    rows = [
        (
            f"`{column.name}`",
            _type(column),
            "yes" if column.nullable else "no",
            _default(column),
            _key(column),
            column.comment or "",
        )
        for column in one.columns
    ]
    header = ["Column", "Type", "Null", "Default", "Key", "Meaning"]
    lines = [f"## `{one.name}`", "", one.comment or "", "", *table(header, rows)]
    facts = [*_partitions(one), *_constraints(one), *_indexes(one)]
    return [*lines, "", *(f"- {fact}" for fact in facts)] if facts else lines


def _type(column: sa.Column[object]) -> str:
    return str(column.type.compile(dialect=_DIALECT))


def _default(column: sa.Column[object]) -> str:
    if column.identity is not None:
        return "identity"
    default = column.server_default
    if not isinstance(default, sa.DefaultClause):
        return ""
    text = default.arg
    return f"`{text if isinstance(text, str) else text.compile(dialect=_DIALECT)}`"


def _key(column: sa.Column[object]) -> str:
    parts = ["PK"] if column.primary_key else []
    parts += [f"FK `{key.target_fullname}`" for key in column.foreign_keys]
    return ", ".join(sorted(parts, reverse=True))


def _partitions(one: sa.Table) -> Iterator[str]:
    by = one.dialect_options["postgresql"]["partition_by"]
    if by:
        yield f"Partitioned by `{by}`."


def _constraints(one: sa.Table) -> Iterator[str]:
    ordered = sorted(one.constraints, key=lambda each: str(each.name))
    for constraint in ordered:
        if isinstance(constraint, sa.PrimaryKeyConstraint) and constraint.columns:
            yield f"Primary key `{constraint.name}`: {_columns(constraint)}."
    for constraint in ordered:
        if isinstance(constraint, sa.UniqueConstraint):
            yield f"Unique `{constraint.name}`: {_columns(constraint)}."
        elif isinstance(constraint, sa.CheckConstraint):
            yield f"Check `{constraint.name}`: `{constraint.sqltext}`."


def _columns(constraint: sa.PrimaryKeyConstraint | sa.UniqueConstraint) -> str:
    return ", ".join(f"`{column.name}`" for column in constraint.columns)


def _indexes(one: sa.Table) -> Iterator[str]:
    for index in sorted(one.indexes, key=lambda each: str(each.name)):
        statement = str(CreateIndex(index).compile(dialect=_DIALECT))
        kind = "Unique index" if index.unique else "Index"
        yield f"{kind} `{index.name}`: `{statement.partition(' ON ')[2]}`."
