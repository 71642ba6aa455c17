"""The tables. What must never happen twice or too often is a constraint here, not only a check in code."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(160)


def _tenant() -> Column[str]:
    return Column("tenant_id", _ID, nullable=False)


tenants = Table(
    "tenants",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("region", String(2)),
    Column("takes_biometric", Boolean, nullable=False, server_default="0"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("role", String(32), nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
)

devices = Table(
    "devices",
    metadata,
    Column("ref", _ID, primary_key=True),
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("model", String(200)),
    Column("locale", String(64)),
    Column("time_zone", String(64)),
    Column("age_band", String(16), nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Index(None, "person"),
)

consents = Table(
    "consents",
    metadata,
    _tenant(),
    Column("device_ref", _ID, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("version", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("withdrawn_us", BigInteger),
    Column("channel", String(32)),
    Column("source", String(200)),
    Column("proof", String(400)),
    PrimaryKeyConstraint("device_ref", "purpose", "at_us"),
)

venues = Table(
    "venues",
    metadata,
    _tenant(),
    Column("id", _ID, nullable=False),
    Column("name", String(400), nullable=False),
    Column("format", String(16), nullable=False),
    Column("n_levels", Integer, nullable=False),
    Column("n_stores", Integer, nullable=False),
    Column("imported_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)

zones = Table(
    "zones",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("store_ids", JSON, nullable=False),
    Column("level_ids", JSON, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("venue_id", _ID, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("budget", Integer),
    Column("given", Integer, nullable=False, default=0),
    Column("created_us", BigInteger, nullable=False),
    CheckConstraint("budget IS NULL OR given <= budget", name="never_over_budget"),
    Index(None, "tenant_id", "created_us", "id"),
)

campaign_people = Table(
    "campaign_people",
    metadata,
    _tenant(),
    Column("campaign_id", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    Column("given", Integer, nullable=False),
    PrimaryKeyConstraint("campaign_id", "person"),
    Index(None, "person"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("campaign_id", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    Column("visit_id", _ID, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("explanation", String(400), nullable=False),
    Column("card_id", _ID, unique=True),
    Column("coupon_id", _ID, unique=True),
    Index(None, "tenant_id", "at_us", "id"),
    Index(None, "person"),
)

coupons = Table(
    "coupons",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("campaign_id", _ID, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("code", String(32), nullable=False, unique=True),
    Column("person", _ID, nullable=False),
    Column("visit_id", _ID, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("stores", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("redeemed_us", BigInteger),
    UniqueConstraint("campaign_id", "sequence"),
    Index(None, "tenant_id", "issued_us", "id"),
)

redemptions = Table(
    "redemptions",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("coupon_id", _ID, nullable=False, unique=True),
    Column("store_id", _ID, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

visits = Table(
    "visits",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("device_ref", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("place_id", _ID, nullable=False),
    Column("arrived_us", BigInteger, nullable=False),
    Column("last_inside_us", BigInteger, nullable=False),
    Column("left_us", BigInteger),
    Column("counted", Boolean, nullable=False),
    Column("fix_count", Integer, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Index(None, "tenant_id", "arrived_us", "id"),
    Index(None, "device_ref"),
)
Index(
    "ix_visits_open",
    visits.c.tenant_id,
    visits.c.arrived_us,
    visits.c.id,
    sqlite_where=visits.c.left_us.is_(None),
    postgresql_where=visits.c.left_us.is_(None),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", _ID, nullable=False, unique=True),
    _tenant(),
    Column("type", String(40), nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("person", _ID),
    Column("data", JSON, nullable=False),
    Index(None, "tenant_id", "sequence"),
    sqlite_autoincrement=True,  # a reader goes on after the last it saw: none may be given twice
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("url", String(2_000), nullable=False),
    Column("types", JSON, nullable=False),
    Column("after_sequence", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("delivered_us", BigInteger),
    Column("failing_since_us", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("last_error", String(200)),
    Column("next_attempt_us", BigInteger),
    Column("disabled_us", BigInteger),
    Index(None, "tenant_id", "created_us", "id"),
)

scenes = Table(
    "scenes",
    metadata,
    Column("device_ref", _ID, primary_key=True),
    _tenant(),
    Column("snapshot", LargeBinary, nullable=False),
    Column("last_us", BigInteger, nullable=False),
)

fixes = Table(
    "fixes",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    _tenant(),
    Column("device_ref", _ID, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("base_min", Integer, nullable=False),
    Column("venue_id", _ID),
    Column("level_id", _ID),
    Column("store_id", _ID),
    Column("front_id", _ID),
    Column("evidence", Integer, nullable=False),
    Column("is_walkway", Boolean, nullable=False),
    Column("is_at_exit", Boolean, nullable=False),
    Column("is_approaching", Boolean, nullable=False),
    Index(None, "device_ref", "at_ms"),
    Index(None, "at_ms"),
)

tracks = Table(
    "tracks",
    metadata,
    Column("device_ref", _ID, primary_key=True),
    _tenant(),
    Column("record", LargeBinary, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    _tenant(),
    Column("device_ref", _ID, nullable=False),
    Column("scan_id", _ID, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("device_ref", "scan_id"),
    Index(None, "at_us"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _tenant(),
    Column("key_id", _ID, nullable=False),
    Column("route", String(80), nullable=False),
    Column("idempotency_key", String(256), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("key_id", "route", "idempotency_key"),
)

presence = Table(
    "presence",
    metadata,
    _tenant(),
    Column("venue_id", _ID, nullable=False),
    Column("day", String(10), nullable=False),
    Column("phones", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "venue_id", "day"),
)

staff = Table(
    "staff",
    metadata,
    _tenant(),
    Column("venue_id", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "venue_id", "person"),
    Index(None, "tenant_id", "person"),
)

cursors = Table(
    "cursors",
    metadata,
    _tenant(),
    Column("name", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "name"),
)

tag_records = Table(
    "tag_records",
    metadata,
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("settled_day", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "person"),
    Index(None, "tenant_id", "settled_day"),
)

tag_learnt = Table(
    "tag_learnt",
    metadata,
    Column("visit_id", _ID, primary_key=True),
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("day", Integer, nullable=False),
    Column("row", LargeBinary, nullable=False),
    Index(None, "person"),
    Index(None, "tenant_id", "day"),
)

tag_names = Table(
    "tag_names",
    metadata,
    _tenant(),
    Column("kind", String(16), nullable=False),
    Column("parent", _ID, nullable=False),
    Column("name", String(400), nullable=False),
    Column("number", Integer, nullable=False),
    Column("base_dwell_s", Float),
    PrimaryKeyConstraint("tenant_id", "kind", "parent", "name"),
    UniqueConstraint("tenant_id", "kind", "number"),
)

tag_nights = Table(
    "tag_nights",
    metadata,
    Column("tenant_id", _ID, primary_key=True),
    Column("day", Integer, nullable=False),
    Column("shares", JSON),
    Column("ended_day", Integer, nullable=False),
)

person_tags = Table(
    "person_tags",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("tag", String(32), nullable=False),
    Column("subject", String(400)),
    Column("score", Float, nullable=False),
    Column("evidence_n", Integer, nullable=False),
    Column("expires_us", BigInteger),
    Column("added_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "added_us", "id"),
    Index(None, "person"),
)

tag_counts = Table(
    "tag_counts",
    metadata,
    _tenant(),
    Column("number", Integer, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("tag", String(32), nullable=False),
    Column("subject", String(400)),
    Column("people", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "number"),
)

rhythm_states = Table(
    "rhythm_states",
    metadata,
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("venue_id", _ID, nullable=False),
    Column("category", String(400), nullable=False),
    Column("settled", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("judged_day", Integer, nullable=False),
    Column("band", String(16)),
    Column("ratio", Float),
    Column("expected_day", Float),
    Column("p_active", Float),
    Column("p_return_28d", Float),
    PrimaryKeyConstraint("tenant_id", "venue_id", "category", "person"),
    Index(None, "tenant_id", "person"),
    Index(None, "tenant_id", "judged_day", "venue_id", "category"),
)

rhythm_models = Table(
    "rhythm_models",
    metadata,
    _tenant(),
    Column("venue_id", _ID, nullable=False),
    Column("category", String(400), nullable=False),
    Column("version", _ID, nullable=False),
    Column("day", Integer, nullable=False),
    Column("figures", JSON, nullable=False),
    PrimaryKeyConstraint("tenant_id", "venue_id", "category"),
)

identities = Table(
    "identities",
    metadata,
    Column("ref", _ID, primary_key=True),
    _tenant(),
    Column("kind", String(16), nullable=False),
    Column("issuer", String(256), nullable=False),
    Column("person", _ID, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Index(None, "person"),
    sqlite_with_rowid=False,
)

identity_links = Table(
    "identity_links",
    metadata,
    Column("id", _ID, nullable=False, unique=True),
    _tenant(),
    Column("a", _ID, nullable=False),
    Column("b", _ID, nullable=False),
    Column("strength", String(16), nullable=False),
    Column("source", String(200), nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("occasions", Integer, nullable=False),
    Column("undone_us", BigInteger),
    PrimaryKeyConstraint("a", "b", "strength"),
    CheckConstraint("a < b", name="lower_first"),
    Index(None, "b"),
)

unsettled_identities = Table(
    "unsettled_identities",
    metadata,
    Column("ref", _ID, primary_key=True),
    _tenant(),
)

person_changes = Table(
    "person_changes",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    _tenant(),
    Column("identity", _ID, nullable=False),
    Column("person_before", _ID),
    Column("person_after", _ID, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("source", String(200), nullable=False),
    Index(None, "identity"),
    Index(None, "person_after"),
    Index(None, "tenant_id", "sequence"),
    sqlite_autoincrement=True,
)

accesses = Table(
    "accesses",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    _tenant(),
    Column("person", _ID, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("role", String(32), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("what", String(80), nullable=False),
    Index(None, "person", "at_us"),
    sqlite_autoincrement=True,
)

payments = Table(
    "payments",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("kind", String(16), nullable=False),
    Column("source", String(200), nullable=False),
    Column("receipt_id", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("payment_id", _ID),
    Column("venue_id", _ID, nullable=False),
    Column("store_id", _ID, nullable=False),
    Column("person", _ID),
    Column("at_us", BigInteger, nullable=False),
    Column("amount", BigInteger),
    Column("currency", String(3)),
    Column("lines", JSON, nullable=False),
    Column("reason", String(16)),
    Column("refunded", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    CheckConstraint("refunded >= 0 AND (amount IS NULL OR refunded <= amount)", name="never_over_refunded"),
    UniqueConstraint("tenant_id", "source", "receipt_id"),
    Index(None, "tenant_id", "recorded_us", "id"),
    Index(None, "tenant_id", "store_id", "at_us"),
    Index(None, "person"),
    Index(None, "payment_id"),
)

learning_samples = Table(
    "learning_samples",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("venue_id", _ID, nullable=False),
    Column("store_id", _ID, nullable=False),
    Column("day", String(10), nullable=False),
    Column("phone_class", String(32), nullable=False),
    Column("readings", JSON, nullable=False),
    Index(None, "tenant_id", "venue_id", "day"),
    Index(None, "day"),
    sqlite_with_rowid=False,  # rows lie in the order of their random ids: none tells when in the day it came
)

point_accounts = Table(
    "point_accounts",
    metadata,
    Column("id", _ID, primary_key=True),
    _tenant(),
    Column("kind", String(16), nullable=False),
    Column("owner", _ID, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("day", Integer),
    Column("earned", BigInteger, nullable=False),
    Column("redeemed", BigInteger, nullable=False),
    Column("given", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "kind", "owner"),
    CheckConstraint("held >= 0", name="never_less_than_nothing_held"),
    CheckConstraint("kind = 'issuer' OR balance - held >= 0", name="never_below_the_floor"),
)

point_lots = Table(
    "point_lots",
    metadata,
    Column("account_id", _ID, nullable=False),
    _tenant(),
    Column("expires_us", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "expires_us"),
    CheckConstraint("points > 0", name="never_empty"),
    Index(None, "expires_us"),
    sqlite_with_rowid=False,
)

point_transfers = Table(
    "point_transfers",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", _ID, nullable=False, unique=True),
    _tenant(),
    Column("kind", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("reference", String(200)),
    Column("at_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),
    Column("pending_id", _ID),
    Column("reverses_id", _ID),
    CheckConstraint("points > 0", name="always_some"),
    CheckConstraint("(phase = 'pending') = (until_us IS NOT NULL)", name="only_holds_end_by_themselves"),
    CheckConstraint("(phase IN ('done', 'pending')) = (pending_id IS NULL)", name="only_ends_of_holds_name_one"),
)
for _named in (point_transfers.c.pending_id, point_transfers.c.reverses_id):
    Index(  # a hold is ended once, and a transfer is reversed once
        f"uq_point_transfers_{_named.name}",
        _named,
        unique=True,
        sqlite_where=_named.is_not(None),
        postgresql_where=_named.is_not(None),
    )

point_legs = Table(
    "point_legs",
    metadata,
    Column("transfer_id", _ID, nullable=False),
    Column("number", Integer, nullable=False),
    _tenant(),
    Column("debit_id", _ID, nullable=False),
    Column("credit_id", _ID, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    PrimaryKeyConstraint("transfer_id", "number"),
    CheckConstraint("points > 0", name="always_some"),
    CheckConstraint("debit_id <> credit_id", name="never_to_itself"),
    Index(None, "debit_id"),
    Index(None, "credit_id"),
    sqlite_with_rowid=False,
)

point_holds = Table(
    "point_holds",
    metadata,
    Column("transfer_id", _ID, primary_key=True),
    _tenant(),
    Column("until_us", BigInteger, nullable=False),
    Index(None, "until_us"),
)

point_pool_members = Table(
    "point_pool_members",
    metadata,
    _tenant(),
    Column("pool", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    PrimaryKeyConstraint("tenant_id", "pool", "person"),
    Index(None, "person"),
)
