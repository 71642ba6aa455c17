"""What ``atrium sim run`` writes: the report, its figures, and every scan, visit and card of the run."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import VenueFileError
from runtime.survey_files import read_file
from runtime.venue_store import write_whole

if TYPE_CHECKING:
    from sim.run import Run
    from sim.scenario import Scenario


def read_scenario(name_or_path: str) -> tuple["Scenario", str]:
    """A shipped scenario by name, or one from a file; and its text.

    Raises:
        VenueFileError: there is no such file.
        ScenarioError: it cannot be run as written.
    """
    from sim.scenario import parse_scenario, shipped_scenarios

    shipped = shipped_scenarios()
    text = shipped.get(name_or_path)
    if text is None:
        path = Path(name_or_path)
        if path.is_dir():
            raise VenueFileError(f"{path} is a folder; give a .toml file or one of {', '.join(shipped)}")
        if not path.is_file() and path.suffix != ".toml":
            raise VenueFileError(f"no scenario {name_or_path!r}; give a .toml file or one of {', '.join(shipped)}")
        try:
            text = read_file(path).decode()
        except UnicodeDecodeError as error:
            raise VenueFileError(f"{path} is not TOML: {error}") from error
    return parse_scenario(text), text


def with_seed(text: str, seed: int) -> str:
    """A scenario's text with another seed."""
    found, n = re.subn(r"(?m)^seed\s*=.*$", f"seed = {seed}", text, count=1)
    return found if n else f"seed = {seed}\n{text}"


def with_venue(text: str, venue_id: str) -> tuple["Scenario", str]:
    """A scenario on an imported venue, whatever mall it had; its hours stay.

    Raises:
        ScenarioError: it cannot be run as written.
    """
    from sim.scenario import parse_scenario

    kept, n_cut = re.subn(r"(?ms)^\[mall\][^\n]*\n(.*?)(?=^\[|\Z)", "", text, count=1)
    hours = re.findall(r"(?m)^(?:opens_hour|closes_hour|utc_offset_h)\s*=.*$", text) if n_cut else []
    lines = "\n".join([f'imported = "{venue_id}"', *hours])
    at = re.search(r"(?m)^\[", kept)
    head, tail = (kept, "") if at is None else (kept[: at.start()], kept[at.start() :])
    made = f"{head.rstrip()}\n\n[mall]\n{lines}\n\n{tail}"
    return parse_scenario(made), made


def begin_run(folder: Path, text: str) -> None:
    """Write what is about to be run: a folder that cannot be written is told before the work, not after it.

    Raises:
        VenueFileError: it cannot.
    """
    try:
        write_whole(folder / "scenario.toml", text.encode())
    except OSError as error:
        raise VenueFileError(f"cannot write to {folder}: {error.strerror}") from error


def write_run(folder: Path, run: "Run", text: str, found: dict[str, Any]) -> list[str]:
    """Write it all, each file whole or not at all; gives their names.

    Raises:
        VenueFileError: the folder cannot be written.
    """
    from sim.lines import run_files
    from sim.report import report_html

    content = {
        "scenario.toml": text.encode(),
        "figures.json": msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n",
        **{name: b"".join(lines) for name, lines in run_files(run).items()},
        "report.html": report_html(run, found).encode(),
    }
    try:
        for name, data in content.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise VenueFileError(f"cannot write to {folder}: {error.strerror}") from error
    return list(content)
