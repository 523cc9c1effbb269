"""Announcements: to whom, when, how far they have come, and how they were received."""
