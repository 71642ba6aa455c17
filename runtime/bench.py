"""``atrium bench``: runs a benchmark of the repository; the files are in ``benchmarks/``, not in the wheel."""

import importlib
import sys
from pathlib import Path
from typing import Any

from runtime.errors import SettingsError

BENCHMARKS = ("locate", "hardness", "fidelity")


def run_benchmark(name: str) -> dict[str, Any]:
    """Run one benchmark and give its figures.

    Raises:
        SettingsError: there is none of this name, or this is not a checkout of the repository.
    """
    if name not in BENCHMARKS:
        raise SettingsError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    here = str(Path.cwd())
    if Path(here, "benchmarks", f"{name}.py").is_file() and here not in sys.path:
        sys.path.insert(0, here)  # the console script's path has the wheel's folders only
    try:
        module = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        raise SettingsError("benchmarks run from a checkout of the repository, in its folder") from error
    figures: dict[str, Any] = module.run()
    return figures
