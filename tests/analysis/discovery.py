"""Every function of the analysis room that is given bars, found by looking.

A *probe* is a public function, or a public method of a class that can be built without
arguments, with what to call it with. Names and modules with a leading underscore are
parts of public functions, which are held to the past as a whole. A function that takes
bars and fits no shape below cannot be checked; `find_probes` lists it as a stranger and
a test refuses it.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import app.analysis
from app.analysis.finding import Finding
from app.analysis.indicators.base import Indicator
from app.analysis.service import DEFAULT_INDICATORS
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe
from tests.analysis.feeds import Feed


class Kind(enum.Enum):
    """What a result says, which decides how it is held to the past."""

    SERIES = "a value a bar"
    FINDINGS = "findings"
    WINDOW = "bars"
    STATE = "the state at the last bar"


@dataclass(frozen=True)
class Probe:
    """A function that takes bars, ready to be called with any feed."""

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Callable[[Feed], Any]]
    kind: Kind

    def __call__(self, feed: Feed) -> Any:
        values = {name: make(feed) for name, make in self.arguments.items()}
        return self.function(**values)


class Stranger(Exception):
    """A function of bars that fits no shape."""


def analysis_modules() -> Iterator[types.ModuleType]:
    yield app.analysis
    prefix = f"{app.analysis.__name__}."
    for module in pkgutil.walk_packages(app.analysis.__path__, prefix):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield importlib.import_module(module.name)


def find_probes() -> tuple[list[Probe], list[str]]:
    """All probes, and a line about each function of bars that could not be made one."""
    probes: list[Probe] = []
    strangers: list[str] = []
    for module in analysis_modules():
        for name, function in _candidates(module, strangers):
            try:
                probe = make_probe(name, function)
            except Stranger as reason:
                strangers.append(f"{name}: {reason}")
            else:
                probes += [probe, *_variants(probe)]
    return probes, strangers


def _candidates(
    module: types.ModuleType, strangers: list[str]
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, item in vars(module).items():
        if name.startswith("_") or getattr(item, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(item) and (takes_bars(item) or _maps_values(item)):
            yield f"{module.__name__}.{name}", item
        elif inspect.isclass(item) and item is not CandleWindow:
            yield from _methods(item, f"{module.__name__}.{name}", strangers)


def _methods(
    owner: type, name: str, strangers: list[str]
) -> Iterator[tuple[str, Callable[..., Any]]]:
    if getattr(owner, "_is_protocol", False) or inspect.isabstract(owner):
        return
    if not is_dataclass(owner) and takes_bars(owner.__init__):
        strangers.append(f"{name}: keeps bars, which no check can cut")
    methods = {
        key: method
        for key, method in inspect.getmembers(owner, inspect.isfunction)
        if not key.startswith("_") and takes_bars(method)
    }
    if not methods:
        return
    try:
        instance = owner()
    except TypeError as error:
        strangers.append(f"{name}: cannot be built without arguments ({error})")
        return
    for key in methods:
        yield f"{name}.{key}", getattr(instance, key)


def takes_bars(function: Callable[..., Any]) -> bool:
    hints = {k: v for k, v in _hints(function).items() if k != "return"}
    return any(_mentions(hint, CandleWindow) for hint in hints.values())


# Asks for no value where history is short, instead of an error.
SETTINGS: Mapping[str, Callable[[Feed], Any]] = {"allow_warming_up": lambda feed: True}


def _maps_values(function: Callable[..., Any]) -> bool:
    """Whether it answers an array of values, in a parameter `values`, with another."""
    hints = _hints(function)
    first = next(iter(inspect.signature(function).parameters), None)
    if first != "values" or hints["values"] != FloatArray != hints.get("return"):
        return False
    needed = [
        hints.get(key)
        for key, parameter in inspect.signature(function).parameters.items()
        if key != "values" and parameter.default is inspect.Parameter.empty
    ]
    if not all(hint is int for hint in needed):
        return False
    answer = function(np.arange(1.0, 41.0), *(5 for _ in needed))
    return bool(answer.shape == (40,))


def make_probe(name: str, function: Callable[..., Any]) -> Probe:
    """Raises Stranger where an argument or the result is of no known shape."""
    hints = _hints(function)
    arguments: dict[str, Callable[[Feed], Any]] = {}
    for key, parameter in inspect.signature(function).parameters.items():
        is_needed = parameter.default is inspect.Parameter.empty
        maker = _maker(key, hints.get(key), is_first=not arguments)
        if maker is not None and (is_needed or _mentions(hints[key], CandleWindow)):
            arguments[key] = maker
        elif key in SETTINGS:
            arguments[key] = SETTINGS[key]
        elif is_needed:
            raise Stranger(f"{key}: {hints.get(key)} has no default and no known shape")
    return Probe(name, function, arguments, kind_of(hints.get("return")))


def _variants(probe: Probe) -> Iterator[Probe]:
    """The same function with each choice of an enum that is not its default."""
    hints = _hints(probe.function)
    for key, parameter in inspect.signature(probe.function).parameters.items():
        hint = hints.get(key)
        is_choice = inspect.isclass(hint) and issubclass(hint, enum.Enum)
        if key in probe.arguments or not is_choice:
            continue
        for choice in hint:
            if choice is not parameter.default:
                yield replace(
                    probe,
                    name=f"{probe.name}({choice.name.lower()})",
                    arguments={**probe.arguments, key: lambda _, c=choice: c},
                )


def _maker(name: str, hint: Any, is_first: bool) -> Callable[[Feed], Any] | None:
    if hint is Timeframe:
        return lambda feed: next(iter(feed.higher))
    if _mentions(hint, Indicator):
        return lambda feed: DEFAULT_INDICATORS
    if hint == FloatArray and name == "values":
        return lambda feed: feed.window.close
    if hint is int and name in ("period", "bars"):
        return lambda feed: 5
    for option in _options(hint):
        origin, args = typing.get_origin(option), typing.get_args(option)
        if option is CandleWindow:
            if is_first:
                return lambda feed: feed.window
            if "higher" in name:
                return lambda feed: next(iter(feed.higher.values()))
            return lambda feed: feed.benchmark
        if args and args[-1] is CandleWindow and inspect.isclass(origin):
            if issubclass(origin, Mapping) and args[0] is Timeframe:
                return lambda feed: feed.timeframes
            if issubclass(origin, Mapping):
                return lambda feed: feed.markets
            if issubclass(origin, Sequence):
                return lambda feed: list(feed.markets.values())
        if inspect.isclass(option) and is_dataclass(option):
            return _built_with_defaults(option)
    return None


def _built_with_defaults(kind: type) -> Callable[[Feed], Any] | None:
    """Rules and settings: the function is checked with the ones nobody chose."""
    try:
        rules = kind()
    except TypeError:
        return None
    return lambda feed: rules


def kind_of(hint: Any) -> Kind:
    """Raises Stranger where an annotation does not tell."""
    options = [option for option in _options(hint) if option is not type(None)]
    if not options or Any in options or object in options:
        raise Stranger(f"the result {hint} does not tell what it is")
    kinds = {_kind_of_option(option) for option in options}
    if len(kinds) > 1:
        raise Stranger(f"the result {hint} is of several kinds")
    return kinds.pop()


def _kind_of_option(hint: Any) -> Kind:
    origin = typing.get_origin(hint) or hint
    if not inspect.isclass(origin):
        return Kind.STATE
    if origin is CandleWindow:
        return Kind.WINDOW
    if issubclass(origin, (np.ndarray, pd.DataFrame, pd.Series)):
        return Kind.SERIES
    if issubclass(origin, (Sequence, Mapping)) and origin is not str:
        parts = [part for part in typing.get_args(hint) if part is not Ellipsis]
        if issubclass(origin, Mapping):
            parts = parts[1:]
        if parts and all(inspect.isclass(p) and issubclass(p, Finding) for p in parts):
            return Kind.FINDINGS
        kinds = {kind_of(part) for part in parts}
        if len(kinds) > 1:
            raise Stranger(f"the result {hint} mixes kinds")
        return kinds.pop() if kinds else Kind.STATE
    if is_dataclass(origin) and not issubclass(origin, Finding):
        hints = typing.get_type_hints(origin)
        kinds = {kind_of(hints[field.name]) for field in fields(origin)}
        if kinds == {Kind.WINDOW, Kind.SERIES}:  # bars, and columns beside them
            return Kind.WINDOW
        return kinds.pop() if len(kinds) == 1 else Kind.STATE
    return Kind.STATE


def _options(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _mentions(hint: Any, kind: type) -> bool:
    return hint is kind or any(_mentions(part, kind) for part in typing.get_args(hint))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function)
