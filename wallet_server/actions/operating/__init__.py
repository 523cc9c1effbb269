"""What keeps an installation well: its doctor, backups, proofs, figures, and names on the network."""
