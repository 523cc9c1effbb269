"""Rows of members: who they are, how they are reached, how they come back."""
