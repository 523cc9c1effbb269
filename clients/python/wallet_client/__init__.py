"""The client of the loyalty interface for Python 3.11 and newer; it needs nothing but Python.

from wallet_client import Client

till = Client("https://loyalty.example.com", "key_….…")
holder = till.lookups.look_up(code=scanned)
print(holder["sentence"])
"""

from wallet_client.api import Client
from wallet_client.transport import Problem, Unreachable

__all__ = ["Client", "Problem", "Unreachable"]
