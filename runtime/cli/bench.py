"""``atrium bench``: benchmarks of the repository, and the research bench on a labelled file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from runtime.bench import check_benchmark, run_benchmark, run_positioning
from runtime.cli.terminal import AsJson, DataDir, out, print_json, print_table, progress, say
from runtime.errors import SettingsError
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.venue_store import check_venue_id

_ONLY = "(positioning)"


def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="locate, track, scenes, history, simulation: speed; hardness, fidelity: simulator; "
            "ranker: the full locator; shoppers: the same, tracked; healing: after radios changed; "
            "coverage: what confidence is worth; sparse: a quarter of a survey; visits: are they true; "
            "border: beside a wall of two stores; kill: the server in mid-stream; "
            "rhythm: who comes back; tags: what people like; points: does the ledger hold, how fast; "
            "positioning: on a FILE"
        ),
    ],
    path: Annotated[Path | None, typer.Argument(metavar="[FILE]", help=f"{_ONLY} Labelled scans, NDJSON")] = None,
    test: Annotated[
        Path | None, typer.Option("--test", help=f"{_ONLY} Test on this file (default: a fifth of the walks of FILE)")
    ] = None,
    venue_id: Annotated[
        str | None, typer.Option("--venue", help=f"{_ONLY} Map for store fronts (default: stores of the labels)")
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", help=f"{_ONLY} Names, FILE.py:CLASS for your own (default: all)")
    ] = "",
    seeds: Annotated[str, typer.Option("--seeds", help=f"{_ONLY} For methods with chance")] = "0,1,2",
    as_markdown: Annotated[bool, typer.Option("--markdown", help=f"{_ONLY} Print Markdown instead of a table")] = False,
    log: Annotated[
        Path | None, typer.Option("--log", help="(rhythm) Visits, a person and a date a line (default: simulated)")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Run a benchmark of the repository and print its figures, the baseline beside them."""
    check_benchmark(name)
    if log is not None and name != "rhythm":
        raise SettingsError(f"bench {name} takes no --log")
    if name == "positioning":
        if path is None:
            raise SettingsError("bench positioning needs a labelled file: `atrium bench positioning FILE.ndjson`")
        _compare(path, test, venue_id, methods, seeds, as_markdown, as_json, data_dir)
        return
    if path is not None or test is not None or venue_id is not None or methods or as_markdown:
        raise SettingsError(f"bench {name} takes no file and no option but {'--log, ' * (name == 'rhythm')}--json")
    figures = run_benchmark(name, log=log)
    if as_json:
        print_json(figures)
        return
    print_table(f"bench {name}", ("figure", "value"), _lines(figures), "no figure")
    for key, value in figures.items():
        if _is_series(value):
            columns = [dict(_lines(item)) for item in value]
            names = list(dict.fromkeys(line for column in columns for line in column))
            print_table(key, ("", *map(str, range(1, len(columns) + 1))), _side_by_side(names, columns), "no figure")


def _is_series(value: object) -> bool:
    """Whether it is measurements of one kind, which are read side by side."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _lines(figures: Mapping[str, object], of: str = "") -> list[tuple[str, str]]:
    """Figures as lines, those of figures by their whole name; series are left for tables of their own."""
    lines: list[tuple[str, str]] = []
    for key, value in figures.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{of}{key} ")
        elif not _is_series(value):
            lines.append((f"{of}{key}", _text(value)))
    return lines


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_text(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _side_by_side(names: Sequence[str], columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    return [[name, *(column.get(name, "") for column in columns)] for name in names]


def _compare(
    path: Path,
    test: Path | None,
    venue_id: str | None,
    methods: str,
    seeds: str,
    as_markdown: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    if as_markdown and as_json:
        raise SettingsError("--markdown and --json exclude each other")
    venue = None
    if venue_id is not None:
        venue = open_home(data_dir).venues.load_venue(DEFAULT_TENANT, check_venue_id(venue_id))
    names = [name.strip() for name in methods.split(",") if name.strip()]
    with progress("comparing") as advance:
        compared = run_positioning(path, test=test, venue=venue, methods=names, seeds=_read_seeds(seeds), tell=advance)
    if as_json:
        print_json(compared.to_json())
    elif as_markdown:
        sys.stdout.write(compared.to_markdown() + "\n")
    else:
        for part, at in enumerate(_parts(compared.columns, compared.rows, out.width)):
            names, rows = [compared.columns[i] for i in at], [[row[i] for i in at] for row in compared.rows]
            print_table(compared.title if part == 0 else "", names, rows, "no method")
        for note in compared.notes:
            say(f"[yellow]note:[/] {note}")


def _parts(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Columns that fit side by side into a terminal, table by table; each begins with the first column."""
    wide = [max(len(cell) for cell in cells) + 3 for cells in zip(columns, *rows, strict=True)]
    parts = [[0]]
    for i in range(1, len(columns)):
        if len(parts[-1]) > 1 and sum(wide[k] for k in parts[-1]) + wide[i] + 1 > width:
            parts.append([0])
        parts[-1].append(i)
    return parts


def _read_seeds(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdigit() for word in words):
        raise SettingsError(f"--seeds: expected whole numbers such as 0,1,2, found {text!r}")
    seeds = tuple(dict.fromkeys(int(word) for word in words))
    if max(seeds) >= 2**31:
        raise SettingsError("--seeds: a seed is below 2147483648")
    return seeds
