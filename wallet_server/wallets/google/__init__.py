"""Owns Google Wallet: a card as classes and objects, put there over REST."""
