"""All SQL. Functions take the open transaction and the caller's scope and return frozen dataclasses."""
