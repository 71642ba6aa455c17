"""``atrium ranker``: the shared ranker that the full locator ships with."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.terminal import AsJson, make_group, print_json, print_table, progress

ranker = make_group("The shared ranker of the full locator.")


@ranker.command("train")
def train_ranker(
    out_dir: Annotated[Path, typer.Option("--out", help="Where rankers and their cards go")] = Path("ranker-models"),
    uji: Annotated[Path | None, typer.Option("--uji", help="UJIIndoorLoc's trainingData.csv(.gz)")] = None,
    zones: Annotated[Path | None, typer.Option("--zones", help="CSV of a space and its zone, for --uji")] = None,
    as_json: AsJson = False,
) -> None:
    """Train the ranker anew from simulated malls and, where it is given, UJIIndoorLoc. The same input, the same file.

    Without --uji only the ranker that never saw that set is made. About five minutes of one core.
    """
    from runtime.ranker_training import train_rankers

    with progress("training the ranker", 1.0) as advance:
        made = train_rankers(out_dir, uji, zones, lambda share, what: advance(share, what=what))
    if as_json:
        print_json({name: {"sha256": one.sha256, "trained_on": list(one.trained_on)} for name, one in made.items()})
        return
    rows = [(name, one.sha256, len(one.root), ", ".join(one.trained_on)) for name, one in made.items()]
    print_table(f"Rankers in {out_dir}", ("name", "sha256", "trees", "trained on"), rows, "none")
