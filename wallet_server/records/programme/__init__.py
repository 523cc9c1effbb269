"""Rows of programmes: versions, drafts, pictures."""
