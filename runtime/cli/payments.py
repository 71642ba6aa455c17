"""``atrium payments``: what tills without a network have written down."""

from pathlib import Path
from typing import Annotated

import typer

from kernel.ids import TenantId
from runtime.cli.terminal import AsJson, DataDir, make_group, print_json, progress, say
from runtime.errors import SettingsError
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT, tenant_exists

payments = make_group("Payments: import.")
_SHOWN = 20


@payments.callback()
def _group() -> None:
    """Keeps ``import`` a command of its own though it is the only one."""


@payments.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, comma or semicolon, with a header")],
    source: Annotated[str | None, typer.Option("--source", help="Whose payments, where no column says so")] = None,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="Store none where one is refused")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store none; say what would be")] = False,
    tenant_id: Annotated[str, typer.Option("--tenant", help="Whose stores they are of")] = DEFAULT_TENANT,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Import payments, refunds and complaints, one a row. Rows that were told before do nothing again.

    Columns: source, receipt_id, kind (payment, refund, complaint; default payment), store_id, at (RFC 3339), amount
    (minor units), currency, lines (JSON), payment_id or of_receipt_id (and of_source) of a refund or complaint, reason,
    and identity_KIND such as identity_phone or identity_loyalty. Exit code 1 where a row is refused.
    """
    from runtime.payment_files import import_payments, read_payments
    from runtime.people import JoinedPeople
    from runtime.wiring import make_clock, make_payment_desk

    home = open_home(data_dir)
    tenant = TenantId(tenant_id)
    with home.database.read() as connection:
        if not tenant_exists(connection, tenant):
            raise SettingsError(f"no tenant {tenant_id!r}: `atrium tenant create {tenant_id}` makes it")
    rows = read_payments(path, tenant, source)
    with progress("storing payments", len(rows)) as advance:
        done = import_payments(
            make_payment_desk(home, make_clock(home), JoinedPeople(home.keys.people)),
            tenant,
            rows,
            advance,
            all_or_nothing=all_or_nothing,
            dry_run=dry_run,
        )
    for one in done.refused[:_SHOWN]:
        told = one.to_json()
        say(rf"[yellow]line {one.line}[/] {_plain(told['field'] or '')}: {_plain(told['detail'])} \[{told['code']}]")
    if len(done.refused) > _SHOWN:
        say(f"[yellow]and {len(done.refused) - _SHOWN} more[/] (all with --json)")
    would = "" if done.is_kept else "would have been " if dry_run else "nothing was kept; would have been "
    say(f"{would}stored {done.n_stored}, told before {done.n_repeated}, refused {len(done.refused)}")
    if as_json:
        print_json(
            {
                "rows": len(rows),
                "stored": done.n_stored if done.is_kept or dry_run else 0,
                "repeated": done.n_repeated,
                "refused": len(done.refused),
                "dry_run": dry_run,
                "kept": done.is_kept,
                "errors": [one.to_json() for one in done.refused],
            }
        )
    if done.refused:
        raise typer.Exit(1)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
