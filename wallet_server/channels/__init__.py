"""Owns the ways out of the product that are no wallet: so far the signed messages to addresses of merchants."""
