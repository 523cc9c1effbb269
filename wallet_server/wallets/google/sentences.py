"""Owns what is said of each fault of a class or object: one stable code for each rule, in English and in French.

`{0}` and `{1}` are what the rule found, as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.errors import Fault


@dataclass(frozen=True)
class Broken(Fault):
    """A fault of a card, with the code of its rule: `said` puts it into another language."""

    code: str
    values: tuple[str, ...] = ()


def broken(path: str, code: str, *values: object) -> Broken:
    """A fault in the words of the product, English."""
    told = tuple(map(str, values))
    return Broken(path, SENTENCES[code][0].format(*told), code, told)


def said(fault: Broken, language: str) -> str:
    """The sentence in French or, for every other language, in English."""
    return SENTENCES[fault.code][1].format(*fault.values) if language == "fr" else fault.sentence


PARTS: dict[str, tuple[str, str]] = {
    "programName": ("the name of the card", "le nom de la carte"),
    "issuerName": ("the name of your business", "le nom de votre entreprise"),
    "merchantName": ("the name of your business", "le nom de votre entreprise"),
    "provider": ("the name of your business on a coupon", "le nom de votre entreprise sur un bon"),
    "title": ("the title of a coupon", "le titre d’un bon"),
    "shortTitle": ("the short title of a coupon", "le titre court d’un bon"),
    "rewardsTier": ("the name of a status", "le nom d’un statut"),
    "rewardsTierLabel": ("the label above the status", "l’intitulé du statut"),
    "accountId": ("the number of the card", "le numéro de la carte"),
    "accountName": ("the name of the member", "le nom du membre"),
    "accountIdLabel": ("the label above the number of the card", "l’intitulé du numéro de la carte"),
    "accountNameLabel": ("the label above the name of the member", "l’intitulé du nom du membre"),
    "loyaltyPoints": ("the label above the balance", "l’intitulé du solde"),
    "secondaryLoyaltyPoints": ("the label above the status", "l’intitulé du statut"),
    "textModulesData": ("a text among the details", "un texte parmi les détails"),
    "linksModuleData": ("a link", "un lien"),
    "hexBackgroundColor": ("the colour", "la couleur"),
    "programLogo": ("the logo", "le logo"),
    "titleImage": ("the logo of a coupon", "le logo d’un bon"),
    "heroImage": ("the picture", "l’image"),
}
"""What the parts of a body are called, in English and in French."""


def part(path: str, language: str) -> str:
    """What the part at the path of a fault is to whoever writes a programme, with the language of the text, if one is
    named; the path itself, where there is no word for it."""
    steps = path.split(".")
    named = [PARTS[step] for step in map(_plain, steps) if step in PARTS]
    if not named:
        return path
    said_so = named[0][int(language == "fr")]
    return f"{said_so} ({steps[-1]})" if len(steps[-1]) == 2 and steps[-1].isalpha() else said_so


def _plain(step: str) -> str:
    return step[9:10].lower() + step[10:] if step.startswith("localized") else step


NOTES: dict[str, str] = {
    "Google does not let this issuer name places, so cards in Google Wallet do not come forward near your shops. Ask "
    "Google Wallet's support to allowlist the issuer for Merchant Locations.": "Google ne laisse pas cet émetteur "
    "nommer de lieux : les cartes de Google Wallet ne s’affichent donc pas près de vos magasins. Demandez à "
    "l’assistance de Google Wallet d’autoriser l’émetteur pour Merchant Locations.",
}
"""What the merchant is told of a card that went without a part: English to French."""


def noted(note: str, language: str) -> str:
    """A note in French, where it has been put into French, or in English."""
    return NOTES.get(note, note) if language == "fr" else note


SENTENCES: dict[str, tuple[str, str]] = {
    "id": (
        "An identifier is the issuer's number, a dot, and letters, digits, dots, dashes or underscores.",
        "Un identifiant est le numéro d’émetteur, un point, puis lettres, chiffres, points, tirets ou soulignés.",
    ),
    "issuer": (
        "This identifier is not of issuer {0}; each account names only what is its own.",
        "Cet identifiant n’est pas de l’émetteur {0} ; chaque compte ne nomme que ce qui est à lui.",
    ),
    "missing": ("Google needs '{0}' here; add it.", "Il faut « {0} » ici pour Google ; ajoutez-le."),
    "unknown-key": (
        "'{0}' is not a field that Google's card has here; remove it.",
        "« {0} » n’est pas un champ que la carte possède ici chez Google ; retirez-le.",
    ),
    "malformed": (
        "'{0}' is not in the form that Google reads.",
        "« {0} » n’a pas la forme que Google sait lire.",
    ),
    "unshowable": (
        "This text holds a character that cannot be shown; write it again.",
        "Ce texte contient un caractère qui ne peut pas être affiché ; réécrivez-le.",
    ),
    "empty-text": (
        "This text is empty; write something, or leave it out.",
        "Ce texte est vide ; écrivez-le ou ôtez-le.",
    ),
    "state": (
        "The state of a card is ACTIVE, COMPLETED, EXPIRED or INACTIVE.",
        "L’état d’une carte est ACTIVE, COMPLETED, EXPIRED ou INACTIVE.",
    ),
    "review": (
        "A class is sent as UNDER_REVIEW: Google takes no change of one that says anything else.",
        "Une classe s’envoie avec UNDER_REVIEW : sinon Google n’en prend aucun changement.",
    ),
    "colour": ("Write the colour as #1f3a5f.", "Écrivez la couleur comme #1f3a5f."),
    "balance": (
        "A balance has exactly one form: string, int, double or money.",
        "Un solde a exactement une forme : string, int, double ou money.",
    ),
    "int32": (
        "A whole number is at most 2,147,483,647 here; larger ones are sent as text.",
        "Un nombre entier vaut au plus 2 147 483 647 ici ; au-delà, envoyez un texte.",
    ),
    "int64": (
        "Write this whole number in digits, at most 19 of them.",
        "Écrivez ce nombre entier en chiffres, dix-neuf au plus.",
    ),
    "currency": ("A currency is three capitals, such as EUR.", "Une devise a trois majuscules, comme EUR."),
    "image": (
        "A picture is either an address or the id of a private one, not both and not neither.",
        "Une image est soit une adresse, soit un identifiant privé : l’un des deux, jamais les deux.",
    ),
    "https": (
        "This address must begin with https:// and be open to everybody: Google fetches it.",
        "Cette adresse doit commencer par https:// et être ouverte à tous : Google va la chercher.",
    ),
    "link": (
        "A link begins with https://, tel: or mailto:.",
        "Un lien commence par https://, tel: ou mailto:.",
    ),
    "latitude": ("A latitude lies between -90 and 90.", "Une latitude est comprise entre -90 et 90."),
    "longitude": ("A longitude lies between -180 and 180.", "Une longitude est comprise entre -180 et 180."),
    "too-many": (
        "Google shows at most {0} here; this card has {1}.",
        "Google en montre {0} au plus ; cette carte en a {1}.",
    ),
    "empty": ("An empty list is of no use; leave it out.", "Une liste vide ne sert à rien ; retirez-la."),
    "too-long": (
        "Google cuts this text after {0} characters; shorten it.",
        "Google coupe ce texte après {0} caractères ; raccourcissez-le.",
    ),
    "long": (
        "On small phones only the first {0} characters of this text show; it has {1}.",
        "Sur les petits téléphones, seuls les {0} premiers caractères se voient ; il y en a {1}.",
    ),
    "module-id": (
        "The id of a module has letters, digits, dashes and underscores, and no dot.",
        "L’identifiant d’un module a des lettres, chiffres, tirets et soulignés, sans point.",
    ),
    "module-twice": ("Two modules are called {0}; each needs an id of its own.", "Deux modules s’appellent {0}."),
    "date": (
        "A date is written with time, such as 2027-01-31T23:59:59Z.",
        "Une date s’écrit avec l’heure, comme 2027-01-31T23:59:59Z.",
    ),
    "interval": (
        "A period ends after it began, and both its dates name their offset, or neither does.",
        "Une période finit après son début, et ses deux dates portent un décalage, ou aucune.",
    ),
    "message-end": (
        "A message needs an end: Google would show it for ever.",
        "Il faut une fin à un message : Google le montrerait sans fin.",
    ),
    "barcode": ("The code on the card must not be empty.", "Le code de la carte ne doit pas être vide."),
    "barcode-type": ("Google does not draw this kind of code.", "Google ne dessine pas ce type de code."),
    "barcode-value": (
        "This kind of code cannot hold '{0}'.",
        "Ce type de code ne peut pas contenir « {0} ».",
    ),
    "rotating": (
        "A code that changes is a QR code or PDF417, with the place of its number and its key in hexadecimal.",
        "Un code tournant est un QR ou un PDF417, avec la place de son nombre et sa clé en hexadécimal.",
    ),
    "rows": (
        "The front has at most three rows, each of one, two or three items.",
        "Le recto a trois lignes au plus, chacune d’un, deux ou trois éléments.",
    ),
    "language": ("Write a language tag such as fr, en or pt-BR.", "Écrivez une langue comme fr, en ou pt-BR."),
}
"""Code to sentence: English, French. A code, once given, stays."""
