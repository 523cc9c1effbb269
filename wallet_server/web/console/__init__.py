"""Owns the list of the console's blueprints: a page joins the console by a line here."""

from wallet_server.web.console.home import home
from wallet_server.web.console.sign_in import sign_in

CONSOLE = (
    sign_in,
    home,
)
