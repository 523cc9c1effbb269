"""Times without a network: what a till may do then, what it brings, and what becomes of it."""
