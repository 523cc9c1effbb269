"""A word for one customer by first name: it rings on that phone alone, and stands on that card alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.conftest import mostly_on
from tests.stories.conftest import MakeStage
from tests.stories.stage import Stage, shown

TEXTS = {"fr": "@prénom, votre pain de seigle vous attend", "en": "@firstname, your rye bread is waiting"}
SAID = "Solène, votre pain de seigle vous attend", "Solène, your rye bread is waiting"


def at_any_hour(stage: Stage) -> None:
    """The shop may write at whatever hour this runs."""
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    document["announce"] = {"per_day": 1, "per_week": 3, "quiet": None}
    assert stage.merchant("POST", f"{programme}/versions", {"document": document}).status == 200


def write(stage: Stage, member: str | None, texts: dict[str, str]) -> str:
    """Draft, count and confirm a note; returns its id."""
    wanted = {
        "programme": stage.facts["programme"],
        "texts": texts,
        "ends_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
        **({"member": member} if member else {}),
    }
    drafted = stage.merchant("POST", "/v1/announcements", wanted)
    assert drafted.status == 200, drafted
    note = f"/v1/announcements/{drafted.body['announcement']}"
    assert stage.merchant("GET", f"{note}/count").body["members"] == {"shown": 1}
    assert stage.merchant("POST", f"{note}/confirmation").status == 200
    return note


@mostly_on("sqlite")
def test_a_word_for_one_customer_by_first_name(make_stage: MakeStage) -> None:
    stage = make_stage()
    at_any_hour(stage)
    solene = stage.enrol(first_name="Solène", promotions=True)
    bruno = stage.enrol(first_name="Bruno", promotions=True)
    hers, his = stage.phone(solene), stage.phone(bruno)

    note = write(stage, solene["member"], TEXTS)

    stage.until(lambda: bool(hers.lock_screen), "her phone says it")
    assert [alert.text for alert in hers.lock_screen] == [SAID[1]]
    assert shown(hers, "news") in SAID
    # His phone looks as well, after a sale of his own: whatever else it was to say would stand before that.
    assert stage.sell(stage.code(his), 1000).status == 200
    stage.until(lambda: shown(his, "points") == 10, "his phone is up to date")
    stage.until(lambda: bool(his.lock_screen), "and says so")
    assert [alert.text for alert in his.lock_screen] == ["You now have 10 points"]
    card = next(iter(his.cards.values())).file
    whole = f"{card.document} {card.translations}"
    assert "Solène" not in whole
    assert "seigle" not in whole
    assert stage.merchant("GET", note).body["members"] == {"shown": 1}

    # The one message of the day is hers; he, to whom nobody wrote, hears his own at once.
    write(stage, bruno["member"], {"fr": "Bonjour @prénom", "en": "Hello @firstname"})
    stage.until(lambda: any(alert.text == "Hello Bruno" for alert in his.lock_screen), "his phone says his own")
    assert len(hers.lock_screen) == 1
    assert stage.book_faults() == []
