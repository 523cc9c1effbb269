"""What the loyalty engine keeps: goods given back, events, awards that wait, holds.

Revision: 0011
"""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
