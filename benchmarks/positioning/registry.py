"""The methods there are, and one of a file of your own: ``FILE.py:CLASS``."""

import importlib.util
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.positioning.bayes import GaussBayes, MultinomialBayes, OffsetBayes
from benchmarks.positioning.light import Light
from benchmarks.positioning.method import Method
from benchmarks.positioning.neighbours import NearestEuclid, WknnEuclid, WknnSorensen
from benchmarks.positioning.trees import BoostedMulticlass, Forest, ForestPlace
from runtime.errors import SettingsError

REFERENCE: type[Method] = WknnSorensen
METHODS: tuple[type[Method], ...] = (
    WknnSorensen,
    Light,
    NearestEuclid,
    WknnEuclid,
    MultinomialBayes,
    GaussBayes,
    OffsetBayes,
    Forest,
    ForestPlace,
    BoostedMulticlass,
)


def choose_methods(names: Sequence[str]) -> tuple[tuple[type[Method], ...], tuple[str, ...]]:
    """The named methods, the reference always first; no name means all that can run here. And what was left out.

    Raises:
        SettingsError: an unknown name, a file that holds no such class, or LightGBM asked for and not installed.
    """
    has_lightgbm = importlib.util.find_spec("lightgbm") is not None
    if BoostedMulticlass.name in names and not has_lightgbm:
        raise SettingsError("method 'lightgbm' needs the package of that name: `pip install lightgbm`")
    if names:
        chosen = [_load(name) if ":" in name else _known(name) for name in names]
        notes: tuple[str, ...] = ()
    else:
        chosen = [method for method in METHODS if method is not BoostedMulticlass or has_lightgbm]
        notes = () if has_lightgbm else ("lightgbm left out: the package is not installed",)
    methods = tuple(dict.fromkeys([REFERENCE, *chosen]))
    doubled = {method.name for method in methods if sum(other.name == method.name for other in methods) > 1}
    if doubled:
        raise SettingsError(f"--methods: two methods are called {min(doubled)!r}; give yours a name of its own")
    return methods, notes


def _known(name: str) -> type[Method]:
    for method in METHODS:
        if method.name == name:
            return method
    known = ", ".join(method.name for method in METHODS)
    raise SettingsError(f"--methods: no method {name!r}; there are {known}, and FILE.py:CLASS for your own")


def _load(name: str) -> type[Method]:
    """A class of a Python file, which is run: it is the caller's own code."""
    file, _, class_name = name.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(f"bench_method_{path.stem}", path)
    if path.suffix != ".py" or not path.is_file() or spec is None or spec.loader is None:
        raise SettingsError(f"--methods: {file} is not a Python file that can be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Any = getattr(module, class_name, None)
    needed = ("name", "has_chance", "fit", "answer")
    if not inspect.isclass(found):
        raise SettingsError(f"--methods: {file} has no class {class_name!r}")
    missing = [part for part in needed if not hasattr(found, part)]
    if missing:
        raise SettingsError(f"--methods: {class_name} of {file} lacks {', '.join(missing)} (docs/research-bench.md)")
    return cast(type[Method], found)
