"""Merchants' own systems: who listens, what is told, and how it is carried."""
