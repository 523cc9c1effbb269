"""How a member came to a tier, until when, and tiers that were given.

Revision: 0013
"""

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
