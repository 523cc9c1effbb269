"""Whatever a merchant writes into a card: a pass that a phone can open, or a fault that names the place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.wallets.opened import open_pass, parse_strings
from tests.wallets.samples import NOW, sample_card, sample_identity
from wallet_server.errors import Invalid
from wallet_server.rules.passes.card import Alert, Balance, Card, Detail, Gauge, News, Place, Texts, Tier
from wallet_server.wallets.apple.strings import UNSHOWABLE, Phrases
from wallet_server.wallets.apple.wallet import AppleWallet

AWKWARD = st.sampled_from(
    [
        "",
        '"',
        "\\",
        "\\n",
        '";\n"x" = "y',
        "<a href='x'>",
        "&amp;",
        "%@",
        "%",
        "\u200b",
        "\r\n\t",
        "👩‍👩‍👧",
        "\u202e",
        "ａ",
        "]]>",
    ]
)
TEXT = st.one_of(AWKWARD, st.text(max_size=12))
LANGUAGES = st.sampled_from([("fr", "en"), ("en", "fr"), ("en",), ("fr", "en", "pt-BR")])


def texts(languages: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(languages, TEXT))


@st.composite
def cards(draw: st.DrawFn) -> Card:
    languages = draw(LANGUAGES)
    said = texts(languages)
    details = draw(st.lists(said, max_size=3))
    links = st.sampled_from([None, "https://example.com/?a=1&b=%22", 'https://example.com/"><b>'])
    return replace(
        sample_card(),
        languages=languages,
        organisation="Léa" + draw(TEXT),
        description={**draw(said), languages[0]: "Carte"},
        balance=Balance("points", draw(said), draw(st.integers(-(2**53) + 1, 2**53 - 1))),
        tier=draw(st.one_of(st.none(), st.builds(Tier, st.just("t"), said, said))),
        gauge=draw(
            st.one_of(st.none(), st.builds(Gauge, st.integers(-5, 105), st.integers(), st.integers(), said, said))
        ),
        news=draw(st.one_of(st.none(), st.builds(News, said, said))),
        details=tuple(Detail(str(n), draw(said), one, draw(links)) for n, one in enumerate(details)),
        places=tuple(draw(st.lists(st.builds(Place, st.floats(-90, 90), st.floats(-180, 180), said), max_size=3))),
        voided=draw(st.booleans()),
    )


def every_text(card: Card) -> list[str]:
    """What ends up in the pass: in its languages, of the parts that this card shows."""
    shown: list[Texts] = [{"": card.organisation}, card.description, card.balance.label]
    shown += [] if card.tier is None else [card.tier.label, card.tier.name]
    shown += [] if card.gauge is None else [card.gauge.label, card.gauge.sentence]
    shown += [] if card.news is None else [card.news.label, card.news.text]
    shown += [part for detail in card.details for part in (detail.label, detail.text)]
    shown += [] if card.voided else [place.text for place in card.places]
    return [text for texts in shown for text in texts.values()]


ALERTS = st.one_of(st.none(), st.builds(Alert, st.sampled_from(["points", "tier", "news"]), st.just({"fr": "→ %@"})))


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(card=cards(), alert=ALERTS)
@example(card=sample_card(), alert=Alert("news", {"fr": "%@", "en": "%@"}))
@pytest.mark.slow
def test_a_card_is_a_pass_that_opens_or_a_list_of_faults(wallet: AppleWallet, card: Card, alert: Alert | None) -> None:
    if any(UNSHOWABLE.search(text) for text in every_text(card)):
        with pytest.raises(Invalid) as refused:
            wallet.issue(card, alert, sample_identity(), NOW)
        assert all(fault.path and fault.sentence for fault in refused.value.faults)
        return
    body = wallet.issue(card, alert, sample_identity(), NOW).body
    opened = open_pass(body)
    fields = opened.fields()
    assert fields["points"]["value"] == card.balance.value
    alerting = {key for key, field in fields.items() if "changeMessage" in field}
    assert alerting == ({alert.facet} & fields.keys() if alert else set())
    tables = [opened.strings(language) for language in card.languages if len(card.languages) > 1 and _has(opened.files)]
    assert all(table.keys() == tables[0].keys() for table in tables)
    for language in card.languages:
        for detail in card.details:
            said = opened.said(fields[f"detail.{detail.key}"]["value"], language)
            assert said == (detail.text.get(language) or _default(detail.text, card.languages))


def _has(files: dict[str, bytes]) -> bool:
    return any(name.endswith("pass.strings") for name in files)


def _default(said: dict[str, str] | object, languages: tuple[str, ...]) -> str:
    assert isinstance(said, dict)
    return said.get(languages[0]) or next((text for text in said.values() if text), "")


SHOWABLE = st.one_of(AWKWARD, st.text(max_size=20)).map(lambda text: UNSHOWABLE.sub("", text) or "-")


@given(st.lists(st.tuples(SHOWABLE, SHOWABLE), max_size=12))
def test_strings_files_give_back_every_translation(pairs: list[tuple[str, str]]) -> None:
    phrases = Phrases(("fr", "en"))
    keys = [phrases.key({"fr": french, "en": english}) for french, english in pairs]
    files = {path: parse_strings(raw) for path, raw in phrases.files()}
    assert sorted(files) in ([], ["en.lproj/pass.strings", "fr.lproj/pass.strings"])
    for key, (french, english) in zip(keys, pairs, strict=True):
        assert key.rstrip("\u200b") == french.rstrip("\u200b")
        assert files.get("fr.lproj/pass.strings", {}).get(key, key) == french
        assert files.get("en.lproj/pass.strings", {}).get(key, key) == english
