"""Up to which newer issue of a card whoever shows this one has proved to be the same person.

Revision: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("codes", sa.Column("same_upto", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("codes", "same_upto")
