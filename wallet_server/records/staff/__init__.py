"""Rows of the merchant's people: who they are, how they prove it, what they did."""
