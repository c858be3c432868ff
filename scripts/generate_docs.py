#!/usr/bin/env python3
"""Write the documents that are generated from the code.

`--check` writes nothing, names the stale ones and exits 1 (what CI runs).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.doc_generators import configuration, dictionary, example  # noqa: E402

DOCUMENTS: dict[str, Callable[[], str]] = {
    "config.yaml.example": example.render,
    "docs/configuration.md": configuration.render,
    "docs/data-dictionary.md": dictionary.render,
}


def main() -> int:
    """Write or check every document; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="exit 1 if a document is stale"
    )
    is_check = parser.parse_args().check
    stale = [name for name, render in DOCUMENTS.items() if _read(name) != render()]
    for name in stale:
        if is_check:
            print(f"{name} is stale: run scripts/generate_docs.py", file=sys.stderr)
        else:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
            print(f"wrote {name}")
    return 1 if is_check and stale else 0


def _read(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
