"""What members who left before had without an end ended when they left.

Revision: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    left = (
        "SELECT members.left_at FROM members JOIN balances ON balances.member_id = members.id "
        "WHERE balances.account_id = lots.account_id AND members.left_at IS NOT NULL"
    )
    op.execute(
        f"UPDATE lots SET expires_at = ({left}) "  # noqa: S608 - no word of it comes from outside
        f"WHERE remaining > 0 AND expires_at IS NULL AND EXISTS ({left})"
    )


def downgrade() -> None:
    """What ended stays so: nobody can claim it."""
