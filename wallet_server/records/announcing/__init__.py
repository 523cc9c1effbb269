"""Rows of announcements: what was said, to whom, and how it was received."""
