"""Tenants and the keys that speak for them. A key is stored as its hash alone and shown once, when made."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Caller, Role
from kernel.clock import to_epoch_us
from kernel.ids import TenantId
from runtime.records.schema import api_keys, tenants

DEFAULT_TENANT = TenantId("default")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; ``text`` is shown once and kept nowhere."""

    id: str
    text: str


def ensure_tenant(connection: Connection, tenant: TenantId, name: str, at: datetime) -> bool:
    """Make a tenant unless it is there; whether it was made."""
    if connection.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant)).first() is not None:
        return False
    connection.execute(tenants.insert().values(id=tenant, name=name, created_us=to_epoch_us(at)))
    return True


def tenant_exists(connection: Connection, tenant: TenantId) -> bool:
    """Whether there is such a tenant."""
    return connection.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant)).first() is not None


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What a tenant is set to.

    Args:
        region: ISO 3166 two letters, of phone numbers written without their country; None where none are taken.
        takes_biometric: whether ids of kind biometric are taken, from people who allow them.
    """

    region: str | None
    takes_biometric: bool


def tenant_settings(connection: Connection, tenant: TenantId) -> TenantSettings:
    """The settings of a tenant; those of a new one where there is none."""
    row = connection.execute(sa.select(tenants).where(tenants.c.id == tenant)).first()
    return TenantSettings(None, False) if row is None else TenantSettings(row.region, row.takes_biometric)


def change_tenant(
    connection: Connection,
    tenant: TenantId,
    region: str | None,
    takes_biometric: bool | None,
) -> None:
    """Change what is not None."""
    values = {"region": region, "takes_biometric": takes_biometric}
    changed = {name: value for name, value in values.items() if value is not None}
    if changed:
        connection.execute(tenants.update().where(tenants.c.id == tenant).values(**changed))


def make_key(connection: Connection, tenant: TenantId, role: Role, label: str, at: datetime) -> NewKey:
    """Make a key. Device keys begin as Google's do, since its client libraries refuse to send any other."""
    prefix = "AIza_atrium_" if role is Role.DEVICE else f"atrium_{role.value}_"
    text = prefix + secrets.token_urlsafe(30)
    key_id = "key_" + secrets.token_hex(8)
    connection.execute(
        api_keys.insert().values(
            id=key_id,
            tenant_id=tenant,
            key_hash=_hash(text),
            role=role.value,
            label=label,
            created_us=to_epoch_us(at),
        )
    )
    return NewKey(key_id, text)


def find_caller(connection: Connection, key: str, at: datetime) -> Caller | None:
    """Whose key this is; None for an unknown, expired or revoked one."""
    row = connection.execute(sa.select(api_keys).where(api_keys.c.key_hash == _hash(key))).first()
    if row is None or row.revoked_us is not None:
        return None
    if row.expires_us is not None and row.expires_us <= to_epoch_us(at):
        return None
    return Caller(key_id=row.id, tenant=TenantId(row.tenant_id), role=Role(row.role))


def _hash(key: str) -> str:
    """SHA-256: a key has 240 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def list_tenants(connection: Connection) -> list[tuple[str, str]]:
    """Id and name of each tenant."""
    return [(row.id, row.name) for row in connection.execute(sa.select(tenants).order_by(tenants.c.id))]
