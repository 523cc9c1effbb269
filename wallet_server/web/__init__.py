"""Thin: who calls, parse, one action, present."""
