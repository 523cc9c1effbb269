"""Owns the books' routes: trial balance, liability, and the closing of periods, as JSON and as CSV."""

from __future__ import annotations

from datetime import date, datetime

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.books import accounting, closing, documents
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.keys import Scope
from wallet_server.errors import Invalid
from wallet_server.web import sheets
from wallet_server.web.api import book_models, models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish

books = APIBlueprint(
    "books",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Books", description="With the key of a merchant. As of any moment; what is closed stays.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(books)


@books.get("/books/trial-balance", summary="Trial balance", responses={"200": book_models.TrialBalance})
@needs("read")
def trial_balance(query: book_models.TrialQuery) -> Response:
    """What stood on every kind of account of your account's programmes; each currency adds up to zero."""
    return answer(documents.trial_document(_trial(query)))


@books.get("/books/trial-balance.csv", summary="Trial balance as CSV", responses={"200": None})
@needs("read")
def trial_balance_sheet(query: book_models.TrialQuery) -> Response:
    """One line an account."""
    found = _trial(query)
    return sheets.download(sheets.trial_sheet(found), f"trial-balance-{found.as_of:%Y-%m-%d}.csv")


def _trial(query: book_models.TrialQuery) -> accounting.Trial:
    scope = caller()
    asked = Question(_moment(scope, query.as_of, "as_of"), None, query.currency, query.merchant)
    return accounting.trial_balance(context(), scope, asked)


@books.get("/books/liability", summary="What is owed to members", responses={"200": book_models.Liability})
@needs("read")
def liability(query: book_models.LiabilityQuery) -> Response:
    """Units outstanding, those expected to be redeemed, deferred revenue, ageing, and how it moved since `from`."""
    return answer(documents.document(_report(query)))


@books.get("/books/liability.csv", summary="What is owed to members as CSV", responses={"200": None})
@needs("read")
def liability_sheet(query: book_models.LiabilityQuery) -> Response:
    """One line a figure."""
    found = _report(query)
    return sheets.download(sheets.liability_sheet(found), f"liability-{found.as_of:%Y-%m-%d}.csv")


def _report(query: book_models.LiabilityQuery) -> accounting.Report:
    scope = caller()
    as_of, since = _moment(scope, query.as_of, "as_of"), _moment(scope, query.since, "from", beginning=True)
    return accounting.report(context(), scope, Question(as_of, since, query.currency, query.merchant))


def _moment(scope: Scope, text: str | None, field: str, *, beginning: bool = False) -> datetime | None:
    """A day's end (or its `beginning`) in the caller's zone, or an instant. Raises `Invalid` (`bad-date`)."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-30"):
            edge = accounting.start_of if beginning else accounting.end_of
            return edge(date.fromisoformat(text), accounting.zone(context(), scope))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        # In an address a plus sign is a space, so zones come as Z or encoded.
        raise Invalid("Give a day such as 2026-11-30, or an instant that ends in Z.", code="bad-date", field=field)
    return instant(found)


@books.get("/books/closes", summary="Closed periods", responses={"200": book_models.ClosedList})
@needs("read")
def list_closes() -> Response:
    """The newest first."""
    return answer({"closes": [closing.facts_of(one) for one in closing.closed(context(), caller())]})


@books.get("/books/closes/<id>", summary="A closed period", responses={"200": book_models.ClosedWhole})
@needs("read")
def get_close(path: models.Subject) -> Response:
    """Its figures as they were frozen, and whatever is no longer as it was then: the entries are counted anew."""
    ctx, scope = context(), caller()
    one = closing.period(ctx, scope, path.id)
    return answer(closing.facts_of(one) | {"figures": one.figures, "moved": closing.verify(ctx, scope, path.id)})


@books.post("/books/closes", summary="Close a period", responses={"200": book_models.Closed})
@needs("manage")
def close(body: book_models.Close) -> Response:
    """Everything up to the end of a day is frozen; what is corrected later falls into the open period."""
    scope = caller()
    asked = wish(scope, "close", body.model_dump(mode="json"))
    facts, replayed = closing.close(context(), scope, body.through, asked)
    return answer(facts, replayed=replayed)
