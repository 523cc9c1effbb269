"""Loyalty cards in Apple Wallet and Google Wallet, and the books behind them."""

__version__ = "0.1.0"
