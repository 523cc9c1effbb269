"""Owns the merchant's people: who may do what, how they prove who they are, and how they join and leave."""

from wallet_server.actions.staff.person import Person
from wallet_server.actions.staff.roles import ACCOUNTANT, AUDITOR, CASHIER, MARKETER, OWNER, ROLES

__all__ = ["ACCOUNTANT", "AUDITOR", "CASHIER", "MARKETER", "OWNER", "ROLES", "Person"]
