"""Rows for whoever keeps an installation: figures, looks across accounts, whole copies."""
