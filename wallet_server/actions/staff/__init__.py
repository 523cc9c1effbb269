"""Owns the merchant's people: who may do what, how they prove who they are, and how they join and leave."""

from wallet_server.actions.staff.person import ACCOUNTANT, CASHIER, MARKETER, OWNER, ROLES, Person

__all__ = ["ACCOUNTANT", "CASHIER", "MARKETER", "OWNER", "ROLES", "Person"]
