"""Wallet vendors behind one port. Knows cards and designs; knows neither merchants, nor SQL, nor Flask."""
