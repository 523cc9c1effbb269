"""Owns the list of the console's blueprints: a page joins the console by a line here."""

from wallet_server.web.console.account import account
from wallet_server.web.console.announce import announce
from wallet_server.web.console.books import books
from wallet_server.web.console.card import card
from wallet_server.web.console.card_return import card_return
from wallet_server.web.console.certificates import certificates
from wallet_server.web.console.home import home
from wallet_server.web.console.imports import imports
from wallet_server.web.console.keys import keys
from wallet_server.web.console.members import members
from wallet_server.web.console.offline import offline
from wallet_server.web.console.posters import posters
from wallet_server.web.console.sign_in import sign_in
from wallet_server.web.console.start import start
from wallet_server.web.console.team import team
from wallet_server.web.console.tickets import tickets
from wallet_server.web.console.tills import tills
from wallet_server.web.console.today import today
from wallet_server.web.console.watch import watch
from wallet_server.web.console.webhooks import webhooks
from wallet_server.web.console.whatif import whatif

CONSOLE = (
    sign_in,
    start,
    home,
    account,
    team,
    tills,
    announce,
    members,
    imports,
    card_return,
    posters,
    tickets,
    today,
    card,
    whatif,
    books,
    certificates,
    keys,
    webhooks,
    watch,
    offline,
)
