import pytest

from wallet_server.rules.people.matching import CERTAIN, DOUBTFUL, Person, alike, decide, words_of

CLAIRE = Person(
    "claire.martin@example.com", "+33612345678", "Claire Martin", "12 avenue de la République Lyon", "69001"
)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (Person(email="claire.martin@example.com"), CERTAIN),
        (Person(email="claire.martin@example.com", name="Marc Dubois"), DOUBTFUL),
        (Person(email="claire.matrin@example.com", name="MARTIN Claire"), CERTAIN),
        (Person(email="claire.matrin@example.com"), DOUBTFUL),
        (Person(email="claire.martin@exemple.com", name="Claire Martin"), CERTAIN),
        (Person(email="claire.martin2@example.com", name="Claire Martin"), None),
        (Person(phone="+33612345678", name="Claire Martin"), CERTAIN),
        (Person(phone="+33612345678"), DOUBTFUL),
        (Person(name="Claire Martin", address="12, av. de la Republique, LYON", postcode="69001"), CERTAIN),
        (Person(name="Claire Martn", address="12 av République Lyon", postcode="69 011"), CERTAIN),
        (Person(name="Clara Martin", address="12 av. de la République Lyon", postcode="69001"), DOUBTFUL),
        (Person(name="C Martin", address="12 av. de la République Lyon", postcode="69001"), DOUBTFUL),
        (Person(name="Claire Martin", address="21 avenue de la République Lyon", postcode="69001"), None),
        (Person(name="Claire Martin", address="12 avenue de la République Lyon", postcode="13005"), None),
        (Person(name="Paul Bernard", address="12 avenue de la République Lyon", postcode="69001"), None),
        (Person(name="Claire Martin"), None),
    ],
)
def test_who_is_certainly_doubtfully_or_not_the_same(other: Person, verdict: str | None):
    found = alike(CLAIRE, other)
    back = alike(other, CLAIRE)

    assert (found.verdict if found else None) == verdict
    assert found == back, "whichever of the two is looked at first"


def test_an_address_is_compared_in_full_words():
    assert words_of("3, bd. St-Michel") == words_of("3 Boulevard Saint Michel") == "3 boulevard saint michel"
    assert words_of("5 High St") == words_of("5 HIGH STREET")
    assert words_of("Allée de l'Étang") == "allee etang"


def test_two_who_are_certain_are_a_doubt():
    email = Person(email="a.bc@example.com")
    one, both = decide(email, {1: email, 2: Person(email="z@example.com")}), decide(email, {1: email, 2: email})

    assert one == (1, [])
    assert both[0] is None
    assert [key for key, _ in both[1]] == [1, 2]
