"""Owns the demonstration merchant of the sandbox: founded once, the same every time after."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wallet_server.actions import keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.actions.staff import team
from wallet_server.actions.vendors import credentials
from wallet_server.records import parties
from wallet_server.rules.programme.program_default import default_document

ORGANISATION = "Boulangerie Claire"
PASS_TYPE, TEAM = "pass.sandbox.loyalty", "SANDBOX001"
"""What the sandbox's own authority certifies."""
_STORES = (
    NewStore("Boulangerie Claire, Odéon", latitude=48.8520, longitude=2.3389, texts={"fr": "Une baguette chaude ?"}),
    NewStore("Boulangerie Claire, Nation", latitude=48.8483, longitude=2.3959, texts={"fr": "Le four est ouvert"}),
    NewStore("Boulangerie Claire, Annecy", latitude=45.8992, longitude=6.1294),
)


OWNER_EMAIL = "claire@boulangerie.example"


def console_secret(ctx: Context, facts: Mapping[str, Any]) -> str:
    """What enters the demonstration shop's console once, as its owner; only the sandbox takes it."""
    merchant = keys.authenticate(ctx, facts["merchant_key"]).principal
    return team.demo_link(ctx, merchant, "Claire", OWNER_EMAIL)


def demonstrate(ctx: Context, file: Path, certificate: bytes, key: bytes, chain: bytes) -> dict[str, Any]:
    """Found the merchant, its stores, till, programme and certificate; keys and ids are kept in `file` (mode 0600)."""
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        # The sandbox's own authority may have made new certificates since.
        credentials.renew(ctx, kept["credential_set"], certificate, key, chain)
        return kept
    credential_set = credentials.add(ctx, None, certificate, key, chain)
    founded = programs.found(ctx, ORGANISATION, _STORES[0], test=True)
    with ctx.change() as tx:
        for store in _STORES[1:]:
            parties.add_store(tx, new_id("sto"), founded.merchant_id, at=ctx.now(), **vars(store))
    made = programs.create_programme(
        ctx, founded.account_id, founded.merchant_id, default_document(ORGANISATION), credential_set
    )
    facts = {
        "credential_set": credential_set,
        "programme": made["programme"],
        "join_code": made["join_code"],
        "merchant_key": founded.merchant_key,
        "till_key": founded.till_key,
    }
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(facts, handle)
    return facts
