"""Owns the list of the pages for members: joining, the card, claiming, getting it back, being reached, rating, and
the progress on sites of merchants."""

from __future__ import annotations

from wallet_server.web.card import card_pages, card_state
from wallet_server.web.claim import claim_pages
from wallet_server.web.join import joining
from wallet_server.web.rate import rating_pages
from wallet_server.web.reach import reach_pages
from wallet_server.web.recover import recovering
from wallet_server.web.widget import widget_pages

__all__ = ["CUSTOMER", "card_state"]

CUSTOMER = (joining, card_pages, reach_pages, claim_pages, recovering, rating_pages, widget_pages)
