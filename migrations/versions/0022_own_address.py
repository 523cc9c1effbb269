"""Of an address that nobody proved it is known whether its member typed it on the join page: of all unproved ones only
that one brings a card back. And the lines of a file of cards are found by their number.

What stands already counts as typed by the member where they joined on the page and no system has said an address since.

Revision: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"
branch_labels = None
depends_on = None

JOINED_ON_THE_PAGE = """
UPDATE identities SET own = {true}
WHERE kind = 'email' AND verified_at IS NULL
  AND EXISTS (SELECT 1 FROM consents c WHERE c.member_id = identities.member_id
              AND c.purpose = 'promotions' AND c.source = 'join-page')
  AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.member_id = identities.member_id
                  AND (c.purpose = 'contact' OR c.source IN ('api', 'import')))
"""


def upgrade() -> None:
    op.add_column("identities", sa.Column("own", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(JOINED_ON_THE_PAGE.format(true="1" if op.get_bind().dialect.name == "sqlite" else "true"))
    op.create_index("ix_card_import_rows_number", "card_import_rows", ["number"], unique=False)


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
