"""Rows of cards: passes, publications, devices, and what phones were told."""
