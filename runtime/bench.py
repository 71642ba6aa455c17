"""``atrium bench``: runs a benchmark of the repository; the files are in ``benchmarks/``, not in the wheel."""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.errors import SettingsError
from venues.model import Venue

BENCHMARKS = (
    "locate",
    "track",
    "positioning",
    "hardness",
    "ranker",
    "shoppers",
    "healing",
    "coverage",
    "sparse",
    "fidelity",
    "scenes",
    "history",
    "simulation",
    "visits",
    "border",
    "kill",
    "rhythm",
    "tags",
    "people",
    "identities",
    "points",
)


def run_benchmark(name: str, *, log: Path | None = None) -> dict[str, Any]:
    """Run one benchmark that needs no input and give its figures; ``rhythm`` takes a log of visits where there is one.

    Raises:
        SettingsError: there is none of this name, this is not a checkout of the repository, or there is no such log.
    """
    check_benchmark(name)
    if log is not None and not log.is_file():
        raise SettingsError(f"--log: no file {log}")
    inputs = {} if log is None else {"log": log}
    figures: dict[str, Any] = _load(f"benchmarks.{name}").run(**inputs)
    return figures


def run_positioning(
    path: Path,
    *,
    test: Path | None,
    venue: Venue | None,
    methods: Sequence[str],
    seeds: Sequence[int],
    tell: Callable[[float, float, str], None],
) -> Any:
    """The research bench (docs/research-bench.md): its ``Comparison``, which has a table, Markdown and JSON.

    Raises:
        SettingsError: an unknown method, or this is not a checkout of the repository.
        VenueFileError: files that cannot be read or split by walks.
        SurveyFormatError: a file without one good labelled scan.
        SurveyTooSmallError: a survey whose scans share no transmitter.
    """
    bench = _load("benchmarks.positioning.run")
    return bench.run(path, test=test, venue=venue, methods=methods, seeds=seeds, tell=tell)


def check_benchmark(name: str) -> None:
    """Raise ``SettingsError`` where there is no benchmark of this name."""
    if name not in BENCHMARKS:
        raise SettingsError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")


def _load(module: str) -> ModuleType:
    here = str(Path.cwd())
    if Path(here, "benchmarks", "__init__.py").is_file() and here not in sys.path:
        sys.path.insert(0, here)  # the console script's path has the wheel's folders only
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "benchmarks":
            raise
        raise SettingsError("benchmarks run from a checkout of the repository, in its folder") from error
