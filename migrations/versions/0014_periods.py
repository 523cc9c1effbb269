"""Closed periods, estimates of what will be redeemed, and what a unit is worth.

Revision: 0014
"""

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
