"""Stock and counts of rewards, vouchers, and what a sale used.

Revision: 0012
"""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
