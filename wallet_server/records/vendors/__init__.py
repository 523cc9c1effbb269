"""Rows of vendors: certificates, keys, issuers, and what each was given."""
