"""Rows of what merchants' own systems are told."""
