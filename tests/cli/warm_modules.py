"""What commands and scripts import: read once, before the first of them is forked."""

from __future__ import annotations

import importlib
import pkgutil

import ccxt.async_support  # noqa: F401

import app
import scripts

for package in (app, scripts):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
