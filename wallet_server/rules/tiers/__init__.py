"""Where members stand: what tiers are measured by, how a standing moves, and how it is told."""
