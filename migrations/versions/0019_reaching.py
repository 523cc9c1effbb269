"""Nothing yet.

Revision: 0019
"""

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
