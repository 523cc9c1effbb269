"""Rows that the books are read from: sums of days, proofs, closed periods."""
