"""Owns the replay of real baskets: a year of a grocer's tills sent through the till API, and every figure checked."""
