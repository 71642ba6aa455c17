"""All commands under one name."""

import logging
import os
import sys

import typer

from runtime.cli import admin, bench, heal, models, payments, places, play, points, ranker, serve, sim
from runtime.cli.terminal import make_group
from runtime.kernel_cache import forget_stale_kernels

app = make_group("Which store is this phone in, and what should it see there?")
app.add_typer(places.venue, name="venue")
app.add_typer(places.survey, name="survey")
app.add_typer(sim.sim, name="sim")
app.add_typer(payments.payments, name="payments")
app.add_typer(ranker.ranker, name="ranker")
app.add_typer(points.points, name="points")
app.add_typer(admin.keys, name="keys")
app.add_typer(admin.tenant, name="tenant")
app.add_typer(admin.db, name="db")
for command in (
    serve.demo,
    serve.serve,
    models.train,
    models.locate,
    models.evaluate,
    heal.heal,
    heal.models,
    play.replay,
    bench.bench,
    admin.warm,
    admin.version,
):
    app.command()(command)


def main() -> None:
    """The ``atrium`` command."""
    logging.basicConfig(
        level=os.environ.get("ATRIUM_LOG", "WARNING").upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    forget_stale_kernels()
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)
