"""Addresses that are told what happens, what they were told, and clocks of test merchants.

Revision: 0015
"""

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
