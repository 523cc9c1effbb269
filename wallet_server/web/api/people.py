"""Owns the routes of people behind the cards: how they are reached, who became one, and old cards of plastic."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from wallet_server.actions.people import imported, importing, merging, plastic, reaching
from wallet_server.actions.people.importing import File
from wallet_server.actions.people.reaching import Wanted
from wallet_server.rules import sentences
from wallet_server.web.api import models, proof_models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs, wish
from wallet_server.web.api.models import Form, Language, Plain, Prose, Public, Subject

people = APIBlueprint(
    "people",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Members", description="Who is behind a card: addresses, duplicates, cards of plastic.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(people)
MOST_FILE = 200_000
Reached = Annotated[Plain, Field(min_length=3, max_length=320)] | None
Word = Annotated[Plain, Field(max_length=200)] | None
State = Literal["waiting", "made", "linked", "doubtful", "dirty", "known"]


class Contacts(Form):
    """What is said of a member; what is left out stays, null forgets it."""

    email: Reached = None
    phone: Reached = Field(None, description="With its country code, or as it is dialled in WALLET_PHONE_REGION.")
    name: Word = Field(None, description="The family name: old cards are matched by it.")
    address: Word = Field(None, description="Street and town on one line, likewise.")
    postcode: Word = None
    send: bool = Field(True, description="Send a code to each address at once, to prove it.")


class Contact(BaseModel):
    kind: Literal["email", "phone"]
    masked: str
    proved: bool


class CodeSent(BaseModel):
    kind: Literal["email", "phone"]
    masked: str


class Reach(BaseModel):
    """How a member is reached, as its owner knows the address and nobody else."""

    member: str
    contacts: list[Contact]
    sent: list[CodeSent]


class TypedCode(Form):
    """The code that the member read."""

    code: Annotated[Plain, Field(min_length=6, max_length=20)]
    join: bool = Field(False, description="Where the address is another member's: make the two one.")


class Proved(BaseModel):
    """`merged` is the member who became this one, with the units that came along."""

    member: str
    contacts: list[Contact]
    merged: str | None
    moved: dict[str, int]


class Merge(Form):
    """Two members who are one."""

    merged: Public = Field(description="The member who is this one from now on.")
    reason: Literal["joined-twice", "plastic", "lost-card", "other"] = "joined-twice"


class Merged(BaseModel):
    member: str
    merged: str | None
    moved: dict[str, int]


class Linked(Merged):
    sentence: str


class PlasticCard(Form):
    """Both cards as they are shown at the counter."""

    code: Annotated[Plain, Field(min_length=1, max_length=200, description="Of the card on the phone.")]
    number: Annotated[Plain, Field(min_length=4, max_length=60, description="Of the card of plastic.")]
    proof: proof_models.Proof | None = None
    language: Language = "en"


class CardFile(Form):
    """A file of old cards, as a table exports it: a header, then a card on each line."""

    programme: Public
    name: Annotated[Plain, Field(min_length=1, max_length=200)] = "cards.csv"
    text: Annotated[Prose, Field(min_length=1, max_length=MOST_FILE)]
    columns: dict[Plain, Plain] = Field({}, max_length=20, description="Field to column, where the guess is wrong.")
    currency: Annotated[Plain, Field(max_length=40)] | None = Field(None, description="That of the points.")


class FilePreview(BaseModel):
    columns: dict[str, str]
    names: list[str]
    counts: dict[str, int]
    dirty: list[dict[str, Any]]


class Import(BaseModel):
    """A file that was taken over; `counts` has its lines by state, and the `points` that it brought."""

    id: str
    name: str
    lines: int
    counts: dict[str, int]
    done: bool


class ImportPath(Form):
    id: Public


class LinePath(Form):
    id: Public
    line: Annotated[int, Field(ge=1, le=10**9)]


class LinesQuery(Form):
    state: State = "doubtful"
    after: Annotated[int, Field(ge=0, le=10**9)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class Lines(BaseModel):
    lines: list[dict[str, Any]]


class Settle(Form):
    """Whose a doubtful card is: one of its candidates, or (null) nobody else's."""

    member: Public | None


class Settled(BaseModel):
    line: int
    state: State
    member: str | None


@people.get("/members/<id>/contacts", summary="How a member is reached", responses={"200": Reach})
@needs("read")
def contacts(path: Subject) -> Response:
    """The addresses that the member said, masked; a code goes only to those that were proved."""
    return answer(reaching.told(context(), caller(), path.id))


@people.put("/members/<id>/contacts", summary="Say how a member is reached", responses={"200": Reach})
@needs("manage")
def put_contacts(path: Subject, body: Contacts) -> Response:
    """A member without a name keeps card and balance. An address is the member's once its code was typed; until then
    others may name it too."""
    given = body.model_dump(mode="json", exclude_unset=True, exclude={"send"})
    addresses: dict[str, str | None] = {kind: given[kind] for kind in ("email", "phone") if kind in given}
    words = {kind: given[kind] for kind in reaching.WORDS if kind in given}
    asked = wish(caller(), "contacts", {"member": path.id, **given, "send": body.send})
    facts, replayed = reaching.put(context(), caller(), path.id, Wanted(addresses, words, body.send), asked)
    return answer(facts, replayed=replayed)


@people.post("/members/<id>/contacts/verify", summary="Prove an address by its code", responses={"200": Proved})
@needs("manage")
def verify(path: Subject, body: TypedCode) -> Response:
    """Good once, within ten minutes and five tries."""
    asked = wish(caller(), "verify", {"member": path.id, **body.model_dump(mode="json")})
    facts, replayed = reaching.verify(context(), caller(), path.id, body.code, join=body.join, wish=asked)
    return answer(facts, replayed=replayed)


@people.post("/members/<id>/merge", summary="Make one of two members", responses={"200": Merged})
@needs("manage")
def merge(path: Subject, body: Merge) -> Response:
    """Every unit moves with its dates, both cards go on, both histories stay. It cannot be undone. Under the id of the
    one who was merged the other is found from now on."""
    asked = wish(caller(), "merge", {"member": path.id, **body.model_dump(mode="json")})
    facts, replayed = merging.by_staff(context(), caller(), path.id, body.merged, body.reason, None, asked)
    return answer(facts, replayed=replayed)


@people.post("/plastic-cards", summary="Link a card of plastic at the counter", responses={"200": Linked})
@needs("till")
def link_plastic(body: PlasticCard) -> Response:
    """With both cards in hand: from now on the number of plastic is the same member's, with what was collected."""
    asked = wish(caller(), "plastic", body.model_dump(mode="json", exclude={"proof", "language"}))
    facts, replayed = plastic.link(context(), caller(), body.code, body.number, asked, proof_models.given(body.proof))
    said = sentences.linked_sentence(body.language)
    said = sentences.already(said, None, body.language) if replayed else said
    return answer({**facts, "sentence": said}, replayed=replayed)


@people.post("/card-imports/preview", summary="Look at a file of old cards", responses={"200": FilePreview})
@needs("manage")
def preview(body: CardFile) -> Response:
    """Which column is what, how many lines would become what, and the first lines that cannot be read. Nothing is
    stored."""
    looked = importing.preview(context(), caller(), body.programme, _file(body))
    dirty = [{"line": one.line, "why": one.why, "text": one.text} for one in looked.dirty]
    told = {"columns": dict(looked.columns), "names": list(looked.names), "counts": dict(looked.counts)}
    return answer(told | {"dirty": dirty})


@people.post("/card-imports", summary="Take over a file of old cards", responses={"200": Import})
@needs("manage")
def take_over(body: CardFile) -> Response:
    """Its lines are worked from now on, a few at a time: `done` says when all are. Every sound number works at the till
    then. The same file again changes nothing."""
    made = importing.take_over(context(), caller(), body.programme, _file(body))
    return _told(made.public_id)


@people.get("/card-imports/<id>", summary="What became of a file", responses={"200": Import})
@needs("read")
def get_import(path: ImportPath) -> Response:
    """Its lines by state: `made` (a new member), `linked` (to one who was certain), `doubtful`, `dirty`, `known`."""
    return _told(path.id)


@people.get("/card-imports/<id>/lines", summary="Lines of a file", responses={"200": Lines})
@needs("manage")
def import_lines(path: ImportPath, query: LinesQuery) -> Response:
    """Those in one state, with what the file says of their holders and, of doubtful ones, who they may be."""
    found = imported.lines(context(), caller(), path.id, (query.state,), query.after, query.limit)
    return answer({"lines": [_line(one) for one in found]})


@people.post("/card-imports/<id>/lines/<line>", summary="Say whose a doubtful card is", responses={"200": Settled})
@needs("manage")
def settle_line(path: LinePath, body: Settle) -> Response:
    """One of the candidates: the two become one. Null: nobody else's."""
    return answer(imported.settle(context(), caller(), path.id, path.line, body.member, None))


def _file(body: CardFile) -> File:
    return File(body.name, body.text.encode(), body.columns, body.currency)


def _told(import_id: str) -> Response:
    made, counts = imported.report(context(), caller(), import_id)
    told = {"id": made.public_id, "name": made.name, "lines": made.lines, "counts": counts}
    return answer(told | {"done": made.done_at is not None})


def _line(one: imported.Shown) -> dict[str, Any]:
    candidates = [
        {"member": member, "person": asdict(person), "score": score, "by": by}
        for member, person, score, by in one.candidates
    ]
    told = {"line": one.line, "state": one.state, "number": one.number, "points": one.points, "why": one.why}
    said = {"text": one.text, "notes": list(one.notes), "person": asdict(one.person), "member": one.member}
    return told | said | {"candidates": candidates}
