"""accounts for life: recovery, tickets, known devices, throttles, the clock's floor"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    stretching = sa.Column("stretching", sa.String(40), nullable=False, server_default="argon2id,t=3,m=65536,p=4")
    op.add_column("accounts", stretching)
    op.add_column("accounts", sa.Column("key_epoch", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("accounts", sa.Column("rescue_hash", sa.String(64)))
    op.add_column("accounts", sa.Column("rescue_slot", sa.LargeBinary()))
    op.add_column("accounts", sa.Column("paper_kept", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("deletes_at", sa.DateTime()))
    op.add_column("accounts", sa.Column("banner", sa.String(40), nullable=False, server_default=""))
    op.add_column("pending_factors", sa.Column("was", sa.String(16), nullable=False, server_default="off"))
    op.add_column("sessions", sa.Column("peer", sa.String(64), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("client", sa.String(200), nullable=False, server_default=""))
    op.create_table(
        "old_keys",
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("key_epoch", sa.Integer(), nullable=False),
        sa.Column("rescue_hash", sa.String(64), nullable=False),
        sa.Column("rescue_slot", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "key_epoch", name="pk_old_keys"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_old_keys_account_accounts"),
    )
    op.create_table(
        "sign_in_codes",
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("account", "hash", name="pk_sign_in_codes"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_sign_in_codes_account_accounts"),
    )
    op.create_table(
        "tickets",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("account", sa.String(32)),
        sa.Column("drops_two_factor", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_tickets"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_tickets_account_accounts"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("first_at", sa.DateTime(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_devices_account_accounts"),
    )
    op.create_index("ix_devices_account", "devices", ["account"])
    op.create_table(
        "throttles",
        sa.Column("bucket", sa.String(64), nullable=False),
        sa.Column("misses", sa.JSON(), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("touched_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_throttles"),
    )
    op.create_index("ix_throttles_touched_at", "throttles", ["touched_at"])
    op.create_table(
        "remembered",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_remembered"),
    )
