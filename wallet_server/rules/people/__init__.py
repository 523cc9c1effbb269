"""Addresses, letters, old cards, and whether two descriptions are of one person."""
