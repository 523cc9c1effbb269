"""Owns the WSGI entry point: `granian --interface wsgi wsgi:app`, or any other WSGI server.

Delivery does not run here; start `wallet-server worker` beside it (or use `wallet-server run`, which has both).
"""

from wallet_server.app import create_app
from wallet_server.settings import Settings

app = create_app(Settings.from_env())
