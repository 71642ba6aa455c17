"""What ``atrium sim run`` writes: the report, its figures, and every scan, visit and card of the run."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomli_w

from runtime.errors import VenueFileError
from runtime.files import write_whole
from runtime.survey_files import read_file

if TYPE_CHECKING:
    from sim.run import Run
    from sim.scenario import Scenario

_TRIED = ".atrium"


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
    return tomli_w.dumps(tomllib.loads(text) | {"seed": seed})


def with_venue(text: str, venue_id: str) -> tuple["Scenario", str]:
    """A scenario on an imported venue, whatever mall it had; its hours stay.

    Raises:
        ScenarioError: it cannot be run as written.
    """
    from sim.scenario import HOURS, parse_scenario

    table = tomllib.loads(text)
    mall = {key: value for key, value in table.get("mall", {}).items() if key in HOURS}
    made = tomli_w.dumps(table | {"mall": {"imported": venue_id} | mall})
    return parse_scenario(made), made


def begin_run(folder: Path) -> None:
    """Try to write: a folder that cannot be written is told before the work, not after it.

    Raises:
        VenueFileError: it cannot.
    """
    try:
        write_whole(folder / _TRIED, b"")
        (folder / _TRIED).unlink()
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
