"""Generated documents are current and complete."""

from __future__ import annotations

import subprocess
import sys

import yaml

from app.config.keys import all_keys
from app.models import BaseModel
from tests.config.mutations import EXAMPLE, ROOT


def test_generated_documents_are_current() -> None:
    command = [sys.executable, "scripts/generate_docs.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_example_and_the_document_hold_every_key() -> None:
    data = yaml.safe_load(EXAMPLE.read_text())
    document = (ROOT / "docs" / "configuration.md").read_text()
    for key in all_keys().values():
        assert f"| `{key.name}` |" in document
        if not key.in_list:
            section = data
            for name in key.path.split("."):
                section = section[name]


def test_the_dictionary_holds_every_column_with_its_comment() -> None:
    document = (ROOT / "docs" / "data-dictionary.md").read_text()
    for table in BaseModel.metadata.tables.values():
        assert f"## `{table.name}`" in document and table.comment
        for column in table.columns:
            assert f"| `{column.name}` |" in document
            assert column.comment, f"{table.name}.{column.name} has no comment"
