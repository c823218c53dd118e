"""rules, what they say of documents, notices and where they are pushed to"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("scans", sa.Column("colour", sa.String(16), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("filing", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("deliveries", sa.Column("delivered_at", sa.DateTime()))
    _note_when_delivered()
    op.create_table(
        "rules",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("destinations", sa.JSON(), nullable=False),
        sa.Column("filing", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_rules_account_accounts"),
    )
    op.create_index("ix_rules_account", "rules", ["account"])
    op.create_table(
        "notices",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=False),
        sa.Column("over_at", sa.DateTime()),
        sa.Column("read_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_notices_account_accounts"),
    )
    op.create_index("ix_notices_account", "notices", ["account"])
    op.create_table(
        "channels",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_channels_account_accounts"),
    )
    op.create_index("ix_channels_account", "channels", ["account"])
    op.create_table(
        "pushes",
        sa.Column("notice", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "channel", name="pk_pushes"),
        sa.ForeignKeyConstraint(["notice"], ["notices.id"], name="fk_pushes_notice_notices"),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name="fk_pushes_channel_channels"),
    )
    _every_scan_as_before()


def _note_when_delivered() -> None:
    bind = op.get_bind()
    deliveries = sa.table(
        "deliveries", sa.column("id"), sa.column("receipt", sa.JSON()), sa.column("delivered_at", sa.DateTime())
    )
    for row in bind.execute(sa.select(deliveries).where(deliveries.c.receipt.is_not(None))).all():
        if row.receipt:
            at = datetime.fromisoformat(row.receipt["at"]).astimezone(UTC).replace(tzinfo=None)
            bind.execute(sa.update(deliveries).where(deliveries.c.id == row.id).values(delivered_at=at))


def _every_scan_as_before() -> None:
    """Give each account with destinations the rule that its scans have followed so far: each goes to all of them."""
    bind = op.get_bind()
    destinations = sa.table(
        "destinations", sa.column("id"), sa.column("account"), sa.column("removed_at"), sa.column("created_at")
    )
    query = sa.select(destinations.c.account, destinations.c.id).where(destinations.c.removed_at.is_(None))
    of_account: dict[str, list[str]] = {}
    for account, destination in bind.execute(query.order_by(destinations.c.created_at)):
        of_account.setdefault(account, []).append(destination)
    rules = sa.table(
        "rules",
        sa.column("id"),
        sa.column("account"),
        sa.column("position"),
        sa.column("conditions", sa.JSON()),
        sa.column("destinations", sa.JSON()),
        sa.column("filing", sa.JSON()),
    )
    for account, ids in of_account.items():
        row = {"id": account, "account": account, "position": 0, "conditions": {}, "destinations": ids, "filing": {}}
        bind.execute(sa.insert(rules).values(row))
