"""``atrium keys``, ``tenant``, ``db``, ``warm``, ``version``: looking after an installation."""

from importlib.metadata import version as version_of
from typing import Annotated

import phonenumbers
import typer

from api.ports import Role
from kernel.ids import TenantId
from runtime.cli.terminal import AsJson, DataDir, make_group, print_json, print_table, progress, say
from runtime.clocks import SystemClock
from runtime.errors import SettingsError
from runtime.home import open_home
from runtime.records.tenants import (
    DEFAULT_TENANT,
    change_tenant,
    ensure_tenant,
    list_tenants,
    make_key,
    tenant_exists,
    tenant_settings,
)
from runtime.venue_store import check_venue_id

keys = make_group("Keys of the API.")
tenant = make_group("Tenants: the organisations on this server.")
db = make_group("The database.")


@keys.command("create")
def create_key(
    role: Annotated[Role, typer.Option("--role", help="What the key may do")],
    tenant_id: Annotated[str, typer.Option("--tenant", help="Whose key it is")] = DEFAULT_TENANT,
    label: Annotated[str, typer.Option("--label", help="What it is for")] = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    home = open_home(data_dir)
    with home.database.write() as connection:
        if not tenant_exists(connection, TenantId(tenant_id)):
            raise SettingsError(f"no tenant {tenant_id!r}: `atrium tenant create {tenant_id}` makes it")
        made = make_key(connection, TenantId(tenant_id), role, label, SystemClock().now())
    if as_json:
        print_json({"id": made.id, "key": made.text, "role": role.value, "tenant": tenant_id})
    else:
        typer.echo(made.text)


@tenant.command("create")
def create_tenant(
    tenant_id: Annotated[str, typer.Argument(help="Its id")],
    name: Annotated[str, typer.Option("--name", help="Its name")] = "",
    data_dir: DataDir = None,
) -> None:
    """Make a tenant."""
    home = open_home(data_dir)
    chosen = TenantId(check_venue_id(tenant_id))
    with home.database.write() as connection:
        made = ensure_tenant(connection, chosen, name or tenant_id, SystemClock().now())
    say(f"tenant [bold]{tenant_id}[/] " + ("made" if made else "is there already"))


@tenant.command("set")
def set_tenant(
    tenant_id: Annotated[str, typer.Argument(help="Its id")],
    region: Annotated[
        str | None, typer.Option("--region", help="Two letters (ISO 3166): whose phone numbers come without a country")
    ] = None,
    takes_biometric: Annotated[
        bool | None,
        typer.Option(
            "--biometric/--no-biometric", help="Whether ids of kind biometric are taken, from who allows them"
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Change what a tenant is set to; what is not named stays."""
    home = open_home(data_dir)
    if region is not None and region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(f"--region: {region!r} is no country that has phone numbers")
    with home.database.write() as connection:
        if not tenant_exists(connection, TenantId(tenant_id)):
            raise SettingsError(f"no tenant {tenant_id!r}: `atrium tenant create {tenant_id}` makes it")
        change_tenant(connection, TenantId(tenant_id), region and region.upper(), takes_biometric)
        now = tenant_settings(connection, TenantId(tenant_id))
    said = f"region {now.region or 'not set'}, biometric ids {'taken' if now.takes_biometric else 'refused'}"
    say(f"tenant [bold]{tenant_id}[/]: {said}")


@tenant.command("list")
def show_tenants(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the tenants."""
    home = open_home(data_dir)
    with home.database.read() as connection:
        rows = list_tenants(connection)
    if as_json:
        print_json([{"id": tenant_id, "name": name} for tenant_id, name in rows])
        return
    print_table("Tenants", ("id", "name"), rows, "No tenant.")


@db.command("upgrade")
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the database to this version's tables; harmless when it is there."""
    home = open_home(data_dir)
    say(f"the database at {home.settings.database_url.rsplit('@')[-1]} is up to date")


def warm() -> None:
    """Compile the numeric kernels once, so that the first scan does not wait for it."""
    from runtime.warm import warm_kernels

    with progress("compiling kernels"):
        seconds = warm_kernels()
    say(f"kernels ready ({seconds:.1f} s)")


def version() -> None:
    """Print the version."""
    typer.echo(version_of("atrium"))
