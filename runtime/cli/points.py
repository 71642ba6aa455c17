"""``atrium points``: what runs out, and the proof that the ledger holds."""

from dataclasses import asdict

import typer

from members.points.rules import PointRules
from runtime.cli.terminal import AsJson, DataDir, make_group, print_json, print_table, say
from runtime.clocks import SystemClock
from runtime.home import open_home
from runtime.points_expiry import expire_all
from runtime.records.ledger_proof import prove_ledger

points = make_group("The ledger of points.")

_SHOWN = 50


@points.command("expire")
def expire(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Take out points that have run out, and end pending transfers whose time is over. Done twice it does nothing more.

    A server does the same by itself, once a minute.
    """
    home = open_home(data_dir)
    now = SystemClock().now()
    done = expire_all(home.database, now, now, PointRules())
    if as_json:
        print_json(asdict(done))
        return
    say(f"{done.points} points of {done.accounts} accounts ran out; {done.holds} pending transfers timed out")


@points.command("verify")
def verify(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Prove the ledger: sums are zero, and all that is stored beside the transfers is what they say.

    Prints what differs; then the exit code is 3. Made to be run each night, also beside a running server.
    """
    home = open_home(data_dir)
    with home.database.read() as connection:
        proof = prove_ledger(connection)
    told = asdict(proof)
    if as_json:
        print_json(told | {"holds": not proof.differences})
    else:
        columns = ("tenant", "what", "id", "stored", "expected")
        rows = [[one[name] for name in columns] for one in told["differences"][:_SHOWN]]
        owed = ", ".join(f"{tenant} owes {n}" for tenant, n in sorted(proof.outstanding.items())) or "nobody owes any"
        say(f"{proof.accounts} accounts, {proof.transfers} transfers; {owed} points")
        print_table(f"{len(proof.differences)} differences", columns, rows, "The ledger holds: nothing differs.")
    if proof.differences:
        raise typer.Exit(3)
