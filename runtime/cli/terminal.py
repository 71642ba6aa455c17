"""How commands talk: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperGroup

from kernel.errors import AtriumError, PartFailedError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="ATRIUM_DATA_DIR", help="Where state lives [default: your data folder]"),
]
VenueOption = Annotated[str, typer.Option("--venue", help="The venue's id")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]


class AtriumGroup(TyperGroup):
    """Turns our errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AtriumError as error:
            err.print(f"[bold red]error:[/] {_escape(str(error))} [dim]({error.code})[/]")
            raise typer.Exit(3 if isinstance(error, PartFailedError) else 1) from error
        except BrokenPipeError:
            sys.stderr.close()  # the reader has gone; nobody to tell
            raise typer.Exit(0) from None


def make_group(help_text: str) -> typer.Typer:
    """A group of commands that prints its help when called without one."""
    return typer.Typer(cls=AtriumGroup, help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)


def say(text: str) -> None:
    """A line for a person, on standard error."""
    err.print(text)


def print_json(value: object) -> None:
    """A result for a program, on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A table for a person; where there is nothing, a line that says what to do."""
    if not rows:
        out.print(empty)
        return
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*("–" if cell is None else _escape(str(cell)) for cell in row))
    out.print(table)


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator["Advance"]:
    """A progress bar on standard error, where a person watches."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        yield Advance(bar, bar.add_task(what, total=total))


class Advance:
    """Moves a progress bar."""

    def __init__(self, bar: Progress, task: Any) -> None:
        self._bar, self._task = bar, task

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Set how much is done, of how much, and what goes on."""
        changes: dict[str, Any] = {"completed": done}
        if total is not None:
            changes["total"] = total
        if what is not None:
            changes["description"] = what
        self._bar.update(self._task, **changes)


def _escape(text: str) -> str:
    """Text that rich prints as it is."""
    return text.replace("[", r"\[")
