"""Rows of what members have: the ledger and its lots, holds, rewards, coupons, tiers."""
