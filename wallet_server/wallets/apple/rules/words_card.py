"""Owns what is said of the pass itself, of its style and of its fields; see `sentences.py`."""

from __future__ import annotations

CARD: dict[str, tuple[str, str]] = {
    # --- the pass itself
    "format-version": (
        "The format version of a pass is the number 1.",
        "La version du format d’une carte est le nombre 1.",
    ),
    "pass-type": (
        "The pass type looks like pass.com.example.card, as registered with Apple.",
        "Le type de carte s’écrit comme pass.com.exemple.carte, tel qu’il est enregistré chez Apple.",
    ),
    "team": (
        "The team identifier is the ten capitals and digits of your Apple team.",
        "L’identifiant d’équipe est formé des dix majuscules et chiffres de votre équipe Apple.",
    ),
    "serial": ("The card needs a serial number.", "Il faut un numéro de série à la carte."),
    "organisation": (
        "The card needs the organisation's name: it heads every message on the lock screen.",
        "Il faut le nom de l’enseigne : il figure en tête de chaque message sur l’écran verrouillé.",
    ),
    "description": (
        "The card needs a description: it is what the phone reads aloud.",
        "Il faut une description à la carte : c’est elle que le téléphone lit à voix haute.",
    ),
    "flag": ("This is either true or false.", "Cette valeur est soit vraie, soit fausse."),
    "expiry": (
        "The end of the card is a whole date with time and zone, such as 2027-01-31T23:59:59Z.",
        "La fin de la carte est une date entière avec heure et fuseau, comme 2027-01-31T23:59:59Z.",
    ),
    "user-info": (
        "What the companion app is told must be JSON, with texts as names.",
        "Ce qui est confié à l’application doit être du JSON, avec des textes pour noms.",
    ),
    "grouping": (
        "The identifier that groups tickets must be a text.",
        "L’identifiant qui regroupe des billets doit être un texte.",
    ),
    "unknown-key": (
        "'{0}' is not a key that a card has here; remove it.",
        "« {0} » n’est pas une clé qu’une carte possède ici ; retirez-la.",
    ),
    "malformed": ("This part of the card is not in its form.", "Cette partie de la carte n’a pas la bonne forme."),
    "unshowable": (
        "This text holds a character that cannot be shown; write it again.",
        "Ce texte contient un caractère qui ne peut pas être affiché ; réécrivez-le.",
    ),
    "too-large": (
        "This card takes {0} KB, and phones fetch it at each change; keep it under {1} KB with smaller pictures.",
        "Cette carte pèse {0} Ko, rechargée à chaque changement ; restez sous {1} Ko avec des images plus petites.",
    ),
    # --- the style
    "no-style": (
        "The card has no fields; it needs one style: storeCard, coupon, eventTicket or generic.",
        "La carte n’a pas de champs ; il lui faut un style : storeCard, coupon, eventTicket ou generic.",
    ),
    "style": ("This part of the card is an object of lists of fields.", "Cette partie réunit des listes de champs."),
    "two-styles": (
        "A card has one style, and posterGeneric beside it at most; remove {0}.",
        "Une carte a un seul style, avec posterGeneric tout au plus ; retirez {0}.",
    ),
    "no-boarding": (
        "Boarding passes are not made here; a card is storeCard, coupon, eventTicket or generic.",
        "Les cartes d’embarquement ne sont pas prévues ; une carte est storeCard, coupon, eventTicket ou generic.",
    ),
    "not-made-here": (
        "'{0}' is for poster event tickets and boarding passes, which are not made here; remove it.",
        "« {0} » est pour les billets en affiche et l’embarquement, qui ne sont pas prévus ; retirez-le.",
    ),
    "no-transit": (
        "Only a boarding pass has a means of transport; phones refuse the card with it.",
        "Seule une carte d’embarquement a un moyen de transport ; les téléphones refusent sinon la carte.",
    ),
    "no-slot": (
        "This style has no {0}; place these fields elsewhere.",
        "Ce style n’a pas de {0} ; placez ces champs ailleurs.",
    ),
    "no-row": (
        "Only the auxiliary fields of an event ticket stand in two rows; remove 'row'.",
        "Seuls les champs auxiliaires d’un billet tiennent sur deux lignes ; retirez « row ».",
    ),
    "no-grouping": (
        "Only event tickets are grouped; remove the grouping identifier.",
        "Seuls les billets se regroupent ; retirez l’identifiant de groupe.",
    ),
    "no-date": (
        "Phones bring this style forward at a place, never at a time; remove the relevant dates.",
        "Les téléphones proposent ce style à un lieu, jamais à une heure ; retirez les dates.",
    ),
    "no-alignment": (
        "Fields of this part cannot be aligned; remove the alignment.",
        "Les champs de cette partie ne s’alignent pas ; retirez l’alignement.",
    ),
    "back-only": (
        "Links and the detection of data work on the back of the card only; remove this or move the field.",
        "Les liens et la détection ne marchent qu’au dos de la carte ; retirez ceci ou déplacez le champ.",
    ),
    "list": ("This part of the card is a list of fields.", "Cette partie de la carte est une liste de champs."),
    "empty": (
        "An empty list has made phones refuse a card; leave it out.",
        "Une liste vide a déjà fait refuser des cartes ; laissez-la de côté.",
    ),
    "too-many-fields": (
        "There is room for at most {0} fields; this card has {1}.",
        "Il y a de la place pour {0} champs au plus ; cette carte en a {1}.",
    ),
    "too-many": ("There may be at most {0} here; this card has {1}.", "Il en faut {0} au plus ; cette carte en a {1}."),
    "one-row": (
        "Secondary and auxiliary fields share one row of {0}; the phone would hide the rest.",
        "Champs secondaires et auxiliaires partagent une ligne de {0} ; le téléphone cacherait le reste.",
    ),
    "crowded-row": (
        "One row holds {0} auxiliary fields; move some to the other row.",
        "Une ligne porte {0} champs auxiliaires ; mettez-en sur l’autre ligne.",
    ),
    # --- fields
    "key": ("Each field needs a key of its own.", "Chaque champ a besoin d’une clé à lui."),
    "duplicate-key": (
        "Two fields of the card have the key '{0}'; give each its own.",
        "Deux champs de la carte ont la clé « {0} » ; donnez à chacun la sienne.",
    ),
    "value": (
        "Each field needs a value: a text, or a number of at most {0}.",
        "Chaque champ a besoin d’une valeur : un texte, ou un nombre de {0} au plus.",
    ),
    "label": ("A label must be text.", "Un intitulé doit être un texte."),
    "change-message": (
        "The message of a change must hold %@ exactly once, where the phone puts the new value.",
        "Le message d’un changement doit contenir %@ une seule fois, là où le téléphone met la nouvelle valeur.",
    ),
    "two-alerts": (
        "Only one field may announce its change at a time; two make the phone show a text of its own.",
        "Un seul champ peut annoncer son changement à la fois ; à deux, le téléphone met un texte à lui.",
    ),
    "alerts-differ": (
        "Poster and classic card must announce one change: the same value, written alike, and the same message.",
        "L’affiche et la carte classique annoncent un seul changement : même valeur, même écriture, même message.",
    ),
    "number-style": (
        "This way of writing numbers is not one of Apple's.",
        "Cette façon d’écrire les nombres n’existe pas chez Apple.",
    ),
    "currency": (
        "A currency is three capital letters, such as EUR.",
        "Une monnaie s’écrit en trois majuscules, comme EUR.",
    ),
    "currency-and-style": (
        "A field has either a currency or a way of writing numbers, not both.",
        "Un champ a soit une monnaie, soit une façon d’écrire les nombres, pas les deux.",
    ),
    "not-a-number": (
        "A field shown as a number or an amount must hold a number, not a text.",
        "Un champ affiché comme nombre ou montant doit contenir un nombre, pas un texte.",
    ),
    "date-style": ("This way of writing dates is not one of Apple's.", "Cette façon d’écrire les dates n’existe pas."),
    "not-a-date": (
        "A field shown as a date must hold one with time and zone, such as 2027-01-31T20:00:00+01:00.",
        "Un champ affiché comme date doit en contenir une avec heure et fuseau, comme 2027-01-31T20:00:00+01:00.",
    ),
    "alignment": (
        "A field is aligned left, centre, right or naturally.",
        "Un champ s’aligne à gauche, au centre, à droite ou naturellement.",
    ),
    "row": ("The row of an auxiliary field is 0 or 1.", "La ligne d’un champ auxiliaire est 0 ou 1."),
    "link": (
        'A linked text holds links alone, written <a href="https://...">...</a>, with whole addresses.',
        'Un texte lié ne contient que des liens, écrits <a href="https://...">...</a>, avec l’adresse entière.',
    ),
    "detector": (
        "This kind of data is not one that a phone looks for.",
        "Ce genre de donnée n’est pas de ceux qu’un téléphone reconnaît.",
    ),
}
"""Code to sentence: English, French."""
