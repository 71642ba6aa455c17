"""Events written into the records as the engine writes them, for tests of what reads them."""

from kernel.clock import to_epoch_us
from kernel.ids import TenantId
from runtime.database import Database
from runtime.records.events import append_events
from runtime.records.tenants import DEFAULT_TENANT
from tests.living_server import NOON


def record(database: Database, first: int, n: int, tenant: TenantId = DEFAULT_TENANT, padding: int = 0) -> list[str]:
    """Append events as the engine does; their ids."""
    kinds = ("visit.entered", "visit.exited")
    rows = [
        {
            "id": f"evt_{tenant}_{number}",
            "tenant_id": tenant,
            "type": kinds[number % 2],
            "occurred_us": to_epoch_us(NOON) + number,
            "recorded_us": to_epoch_us(NOON) + number,
            "person": "per_1",
            "data": {"n": number, "padding": "x" * padding},
        }
        for number in range(first, first + n)
    ]
    with database.write() as connection:
        append_events(connection, tenant, rows)
    return [str(row["id"]) for row in rows]
