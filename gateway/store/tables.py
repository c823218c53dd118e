"""The tables. Times are UTC without a zone in the database and aware outside; identifiers are 32 hex digits."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC time."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def _id(name: str = "id", **options: object) -> Column[str]:
    return Column(name, String(32), **options)  # type: ignore[arg-type]


accounts = Table(
    "accounts",
    metadata,
    _id(primary_key=True),
    Column("email", String(254), nullable=False),
    Column("email_folded", String(254), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("two_factor", String(16), nullable=False),
    Column("auth_epoch", Integer, nullable=False),
    Column("recipient", String(100), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("verifier", LargeBinary, nullable=False),
    Column("stretching", String(40), nullable=False, server_default="argon2id,t=3,m=65536,p=4"),
    Column("slot", LargeBinary, nullable=False),
    Column("totp_secret", LargeBinary),
    Column("last_step", Integer, nullable=False, server_default="0"),
    Column("key_epoch", Integer, nullable=False, server_default="1"),
    Column("rescue_hash", String(64)),
    Column("rescue_slot", LargeBinary),
    Column("paper_kept", Boolean, nullable=False, server_default=false()),
    Column("deletes_at", Utc),
    Column("banner", String(40), nullable=False, server_default=""),
)

# Identities of earlier key epochs, which only their own rescue key opens.
old_keys = Table(
    "old_keys",
    metadata,
    Column("account", String(32), ForeignKey("accounts.id"), primary_key=True),
    Column("key_epoch", Integer, primary_key=True),
    Column("rescue_hash", String(64), nullable=False),
    Column("rescue_slot", LargeBinary, nullable=False),
)

sign_in_codes = Table(
    "sign_in_codes",
    metadata,
    Column("account", String(32), ForeignKey("accounts.id"), primary_key=True),
    Column("hash", String(64), primary_key=True),
)

# What the command line hands out: an invitation to a new account, or the reset of one.
tickets = Table(
    "tickets",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("email", String(254), nullable=False),
    Column("account", String(32), ForeignKey("accounts.id")),
    Column("drops_two_factor", Boolean, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("client", String(200), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
)

throttles = Table(
    "throttles",
    metadata,
    Column("bucket", String(64), primary_key=True),
    Column("misses", JSON, nullable=False),
    Column("in_a_row", Integer, nullable=False),
    Column("touched_at", Utc, nullable=False, index=True),
)

# What the gateway remembers of itself: the clock's floor.
remembered = Table(
    "remembered", metadata, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False)
)

# What requests with an Idempotency-Key were answered; names and requests as MACs, so that no secret of a body is here.
first_answers = Table(
    "first_answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary, nullable=False),
    Column("began_at", Utc, nullable=False, index=True),
)

pending_factors = Table(
    "pending_factors",
    metadata,
    Column("account", String(32), ForeignKey("accounts.id"), primary_key=True),
    Column("session", String(32), nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("was", String(16), nullable=False, server_default="off"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("level", String(8), nullable=False),
    Column("password_at", Utc, nullable=False),
    Column("totp_at", Utc),
    Column("ends_utc", Utc, nullable=False),
    Column("ends_boot_s", Float, nullable=False),
    Column("acts_utc", Utc, nullable=False),
    Column("acts_boot_s", Float, nullable=False),
    Column("forwards_utc", Utc),
    Column("forwards_boot_s", Float),
    Column("epoch", Integer, nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("misses", Integer, nullable=False),
    Column("ended_at", Utc),
    Column("peer", String(64), nullable=False, server_default=""),
    Column("client", String(200), nullable=False, server_default=""),
)

units = Table(
    "units",
    metadata,
    _id(primary_key=True),
    Column("owner", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("label", String(60), nullable=False),
    Column("model", String(40), nullable=False),
    Column("since", Utc, nullable=False),
    Column("settings", JSON, nullable=False),
)

ways = Table(
    "ways",
    metadata,
    Column("sighting", String(200), primary_key=True),
    Column("unit", String(32), ForeignKey("units.id"), nullable=False, index=True),
    Column("via", String(16), nullable=False),
    Column("pin", String(200), nullable=False),
    Column("password", LargeBinary),
)

# A scan outlives the registration of its unit, so its `unit` is no foreign key.
scans = Table(
    "scans",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False),
    Column("unit", String(32), nullable=False, index=True),
    Column("unit_label", String(60), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("started_at", Utc, nullable=False),
    Column("paused_at", Utc),
    Column("ended_at", Utc),
    Column("reason", Text, nullable=False),
    Column("colour", String(16), nullable=False, server_default=""),
    Index("ix_scans_account_started", "account", "started_at"),
)

pages = Table(
    "pages",
    metadata,
    Column("scan", String(32), ForeignKey("scans.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("side", String(8), primary_key=True),
    Column("account", String(32), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("media_type", String(40), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("resolution_dpi", Integer, nullable=False),
    Column("byte_count", Integer, nullable=False),
    Column("components", Integer, nullable=False),
    Column("colour", String(16), nullable=False),
    Column("path", String(300), nullable=False, unique=True),
    Column("sealed_sha256", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
    Column("arrived_at", Utc, nullable=False),
)

destinations = Table(
    "destinations",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("label", String(60), nullable=False),
    Column("config", JSON, nullable=False),
    Column("secrets", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("removed_at", Utc),
)

rules = Table(
    "rules",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("conditions", JSON, nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("filing", JSON, nullable=False),
)

# What an account is told, one row a cause; `over_at`: the cause is gone, `read_at`: its owner has put it away.
notices = Table(
    "notices",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("cause", String(120), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("begun_at", Utc, nullable=False),
    Column("over_at", Utc),
    Column("read_at", Utc),
)

channels = Table(
    "channels",
    metadata,
    _id(primary_key=True),
    Column("account", String(32), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("config", JSON, nullable=False),
    Column("secrets", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
)

# A notice on its way to a channel; `next_try_at` is null once it got there, or will not.
pushes = Table(
    "pushes",
    metadata,
    Column("notice", String(32), ForeignKey("notices.id"), primary_key=True),
    Column("channel", String(32), ForeignKey("channels.id"), primary_key=True),
    Column("account", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Utc),
    Column("error", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(primary_key=True),
    Column("scan", String(32), ForeignKey("scans.id"), nullable=False),
    Column("account", String(32), nullable=False, index=True),
    Column("destination", String(32), ForeignKey("destinations.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("name", String(250), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Utc, nullable=False),
    Column("reason", Text, nullable=False),
    Column("receipt", JSON(none_as_null=True)),
    Column("created_at", Utc, nullable=False),
    Column("filing", JSON, nullable=False, server_default="{}"),
    Column("delivered_at", Utc),
    UniqueConstraint("scan", "destination", "generation"),
)

# Scans that were deleted and whose files are still to be erased; they have no other row any more.
erasures = Table("erasures", metadata, _id("scan", primary_key=True), Column("at", Utc, nullable=False))

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("account", String(32)),
    Column("session_hash", String(64), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("action", String(40), nullable=False),
    Column("factor", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)
