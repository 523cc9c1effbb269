"""Owns what is said of a card's looks, codes, places, dates, buttons, web service and files; see `sentences.py`."""

from __future__ import annotations

PARTS: dict[str, tuple[str, str]] = {
    # --- appearance
    "colour": (
        "Write the colour as # and six hexadecimal digits, such as #1a2b3c.",
        "Écrivez la couleur avec # et six chiffres hexadécimaux, comme #1a2b3c.",
    ),
    "logo-text": ("What stands beside the logo must be text.", "Ce qui figure à côté du logo doit être un texte."),
    # --- barcodes
    "barcodes": ("Barcodes are a list.", "Les codes sont une liste."),
    "barcode": ("A barcode has a format, a text and an encoding.", "Un code a un format, un texte et un encodage."),
    "barcode-format": (
        "The barcode's format must be QR, PDF417, Aztec, Code 128, EAN-13, Code 39, Codabar or Interleaved 2 of 5.",
        "Le format du code doit être QR, PDF417, Aztec, Code 128, EAN-13, Code 39, Codabar ou 2 parmi 5 entrelacé.",
    ),
    "barcode-text": ("The barcode needs a text.", "Il faut un texte au code."),
    "barcode-encoding": (
        "The barcode's encoding must be iso-8859-1 or utf-8.",
        "L’encodage du code doit être iso-8859-1 ou utf-8.",
    ),
    "barcode-not-latin": (
        "The barcode's text does not fit iso-8859-1; its encoding must be utf-8.",
        "Le texte du code ne tient pas dans iso-8859-1 ; son encodage doit être utf-8.",
    ),
    "barcode-caption": (
        "What stands under the barcode must be text.",
        "Ce qui figure sous le code doit être un texte.",
    ),
    "barcode-alphabet": (
        "{0} holds {1} only; choose another format for this text.",
        "{0} ne contient que {1} ; choisissez un autre format pour ce texte.",
    ),
    "barcode-check-digit": (
        "The last digit of this EAN-13 should be {0}; check the number.",
        "Le dernier chiffre de cet EAN-13 devrait être {0} ; vérifiez le numéro.",
    ),
    "barcode-too-long": (
        "This text is too long for {0}, which a scanner reads up to {1} characters; choose QR.",
        "Ce texte est trop long pour {0}, lu jusqu’à {1} caractères ; choisissez QR.",
    ),
    "barcode-no-fallback": (
        "Older iPhones, before iOS 27, do not draw this format; add QR, PDF417, Aztec or Code 128 after it.",
        "Les iPhone d’avant iOS 27 ne dessinent pas ce format ; ajoutez QR, PDF417, Aztec ou Code 128 après lui.",
    ),
    "barcode-legacy": (
        "The single barcode for very old iPhones must be QR, PDF417 or Aztec.",
        "Le code unique destiné aux très vieux iPhone doit être QR, PDF417 ou Aztec.",
    ),
    "barcode-legacy-differs": (
        "The single barcode for very old iPhones must also stand in the list, exactly the same.",
        "Le code unique destiné aux très vieux iPhone doit aussi figurer dans la liste, à l’identique.",
    ),
    # --- places, beacons, dates
    "places": ("Places are a list of at most {0}.", "Les lieux sont une liste de {0} au plus."),
    "too-many-places": (
        "A card can hold at most {0} places, and the nearest are enough; this card has {1}.",
        "Une carte porte {0} lieux au plus, les plus proches suffisent ; celle-ci en a {1}.",
    ),
    "latitude": (
        "The latitude of a place is a number of degrees from -90 to 90.",
        "La latitude d’un lieu est un nombre de degrés entre -90 et 90.",
    ),
    "longitude": (
        "The longitude of a place is a number of degrees from -180 to 180.",
        "La longitude d’un lieu est un nombre de degrés entre -180 et 180.",
    ),
    "altitude": ("The altitude of a place is a number of metres.", "L’altitude d’un lieu est un nombre de mètres."),
    "relevant-text": (
        "What is shown near a place must be text.",
        "Ce qui s’affiche près d’un lieu doit être un texte.",
    ),
    "distance": (
        "The greatest distance is a number of metres above 0; phones ignore anything else.",
        "La plus grande distance est un nombre de mètres supérieur à 0 ; sinon les téléphones l’ignorent.",
    ),
    "beacons": ("Beacons are a list.", "Les balises sont une liste."),
    "beacon-uuid": (
        "A beacon is named by its UUID, such as 2f234454-cf6d-4a0f-adf2-f4911ba9ffa6.",
        "Une balise se désigne par son UUID, comme 2f234454-cf6d-4a0f-adf2-f4911ba9ffa6.",
    ),
    "beacon-number": (
        "The major and minor number of a beacon are whole numbers from 0 to 65535.",
        "Les numéros majeur et mineur d’une balise sont des entiers de 0 à 65535.",
    ),
    "beacon-minor-alone": (
        "A beacon with a minor number needs its major number too.",
        "Une balise avec un numéro mineur a besoin aussi du majeur.",
    ),
    "too-many-beacons": (
        "A phone listens for at most {0} beacon UUIDs of a card; this card has {1}.",
        "Un téléphone écoute {0} UUID de balises au plus par carte ; celle-ci en a {1}.",
    ),
    "date": (
        "A date needs day, time and zone, such as 2027-01-31T20:00:00+01:00.",
        "Une date comporte jour, heure et fuseau, comme 2027-01-31T20:00:00+01:00.",
    ),
    "dates": ("Relevant dates are a list of dates or of spans.", "Les dates sont une liste d’instants ou de périodes."),
    "date-both": (
        "A single date that is written twice, as 'date' (iOS 26) and 'relevantDate' (iOS 18), is the same in both.",
        "Une date seule écrite deux fois, « date » (iOS 26) et « relevantDate » (iOS 18), l’est à l’identique.",
    ),
    "date-once": (
        "Phones of iOS 26 read a single date as 'date', those of iOS 18 as 'relevantDate': write both, the same.",
        "Une date seule se lit « date » dès iOS 26, « relevantDate » sous iOS 18 : écrivez les deux, à l’identique.",
    ),
    "date-or-span": (
        "A relevant date is either one date or a span with start and end.",
        "C’est soit une date seule, soit une période avec début et fin.",
    ),
    "span": (
        "A span ends after its start, and within 24 hours.",
        "Une période finit après son début, et dans les 24 heures.",
    ),
    # --- what apps, readers and buttons use
    "nfc": (
        "The contactless part has a public key, a message and perhaps requiresAuthentication.",
        "La partie sans contact a une clé publique, un message et, au besoin, requiresAuthentication.",
    ),
    "nfc-key": (
        "The contactless key must be a public key on the curve P-256, in Base64 without its first and last line.",
        "La clé sans contact est une clé publique sur la courbe P-256, en Base64 sans première ni dernière ligne.",
    ),
    "nfc-message": (
        "The contactless message takes 1 to {0} bytes; phones cut the rest off.",
        "Le message sans contact tient en 1 à {0} octets ; les téléphones coupent le reste.",
    ),
    "nfc-not-allowed": (
        "Phones open a contactless card only with an NFC certificate of Apple's, and yours is not; remove this part.",
        "Une carte sans contact ne s’ouvre qu’avec un certificat NFC d’Apple, et le vôtre n’en est pas ; retirez-la.",
    ),
    "semantics": ("What a phone understands is an object of tags.", "Ce que le téléphone comprend est un objet."),
    "semantic": ("This tag does not have its form.", "Cette étiquette n’a pas la bonne forme."),
    "amount": (
        'An amount is a text of digits such as "12.50", with its currency.',
        "Un montant est un texte de chiffres comme « 12.50 », avec sa monnaie.",
    ),
    "event-order": ("An event ends after it starts.", "Un événement finit après avoir commencé."),
    "actions": ("Buttons are a list of at most {0}.", "Les boutons sont une liste de {0} au plus."),
    "action": (
        "A button has an identifier and a type of Apple's, such as viewOffersRewards.",
        "Un bouton a un identifiant et un type d’Apple, comme viewOffersRewards.",
    ),
    "action-twice": (
        "Two buttons have the identifier '{0}'; give each its own.",
        "Deux boutons ont l’identifiant « {0} » ; donnez à chacun le sien.",
    ),
    "action-call": (
        "The button that calls needs a telephone number, written tel:+33123456789.",
        "Le bouton d’appel a besoin d’un numéro, écrit tel:+33123456789.",
    ),
    "action-place": (
        "The button of a place needs its identifier in Apple Maps, and no address.",
        "Le bouton d’un lieu a besoin de son identifiant Apple Plans, sans adresse.",
    ),
    "action-link": (
        "This button needs a whole https address, and no place.",
        "Ce bouton a besoin d’une adresse https entière, sans lieu.",
    ),
    "apps": (
        "Apps are listed by their numbers in the App Store.",
        "Les applications se désignent par leur numéro dans l’App Store.",
    ),
    "app-link": (
        "What the app is opened with must be a whole address such as shop://card.",
        "L’adresse remise à l’application doit être entière, comme boutique://carte.",
    ),
    "app-link-alone": (
        "An address for the app needs the app's number in associatedStoreIdentifiers.",
        "Une adresse pour l’application demande son numéro dans associatedStoreIdentifiers.",
    ),
    # --- the web service
    "service": ("The web service's address must be text.", "L’adresse du service doit être un texte."),
    "service-address": (
        "The web service's address must be a whole address such as https://cards.example.com/apple.",
        "L’adresse du service doit être entière, comme https://cartes.exemple.fr/apple.",
    ),
    "service-plain": (
        "Phones call the web service over https only; use an https address.",
        "Les téléphones n’appellent le service qu’en https ; prenez une adresse https.",
    ),
    "service-slash": (
        "The web service's address must not end with a slash: phones append /v1 to it.",
        "L’adresse du service ne finit pas par une barre : les téléphones y ajoutent /v1.",
    ),
    "service-and-token": (
        "The web service's address and the authentication token go together.",
        "L’adresse du service et le jeton vont ensemble.",
    ),
    "token": (
        "The authentication token needs at least {0} plain characters.",
        "Le jeton a besoin d’au moins {0} caractères simples.",
    ),
    "voided-service": (
        "A voided card must not name a web service, or the phone would go on asking for it.",
        "Une carte annulée ne doit plus nommer de service, sinon le téléphone continuerait à la demander.",
    ),
    # --- files
    "no-icon": (
        "The icon is missing; a phone refuses a card without it.",
        "L’icône manque ; un téléphone refuse une carte sans elle.",
    ),
    "unknown-file": (
        "A card holds no such file; phones refuse a card with files they do not know.",
        "Une carte ne contient pas ce fichier ; les téléphones refusent une carte avec des fichiers inconnus.",
    ),
    "no-picture": (
        "A card of this style has no picture named {0}; remove it.",
        "Une carte de ce style n’a pas d’image {0} ; retirez-la.",
    ),
    "strip-or-background": (
        "An event ticket has either a strip or a background and a thumbnail, not both.",
        "Un billet a soit une bande, soit un fond et une vignette, pas les deux.",
    ),
    "overridden": (
        "The picture {0} outside the language folders hides this one; keep one of them.",
        "L’image {0} hors des dossiers de langue cache celle-ci ; n’en gardez qu’une.",
    ),
    "not-png": ("This is not a PNG image; export it as PNG.", "Ce n’est pas une image PNG ; exportez-la en PNG."),
    "not-strings": (
        'This file is not a list of "text" = "translation"; as UTF-16 or UTF-8.',
        "Ce fichier n’est pas une liste de « texte » = « traduction » ; en UTF-16 ou UTF-8.",
    ),
    "strings-differ": (
        "Every language needs the same texts; {0} are missing here, the first: {1}.",
        "Chaque langue a besoin des mêmes textes ; il en manque {0} ici, le premier : {1}.",
    ),
    "bundle-count": (
        "A bundle holds 1 to {0} passes; this one has {1}.",
        "Un lot contient de 1 à {0} cartes ; celui-ci en a {1}.",
    ),
    # --- warnings
    "scale-missing": (
        "There is no {0}; the picture is blurred on phones of today.",
        "Il n’y a pas de {0} ; l’image est floue sur les téléphones d’aujourd’hui.",
    ),
    "no-logo": (
        "There is no logo; the cards of a merchant who adds none show none.",
        "Il n’y a pas de logo ; les cartes d’un commerçant qui n’en ajoute pas n’en montrent aucun.",
    ),
    "no-news": (
        "No field shows the news; on an iPhone, announcements are never shown and never ring.",
        "Aucun champ ne montre les actualités ; sur un iPhone, les annonces ne s’affichent et n’alertent jamais.",
    ),
    "picture-size": (
        "This picture is {0} pixels; Apple's size here is {1}.",
        "Cette image fait {0} pixels ; la taille d’Apple est ici {1}.",
    ),
    "will-not-fit": (
        "This will probably be cut on an iPhone: “{0}” ({1}).",
        "Ceci sera sans doute coupé sur un iPhone : « {0} » ({1}).",
    ),
    "never-drawn": (
        "Phones draw the first format they know, so this one is never seen; move it before the others.",
        "Les téléphones dessinent le premier format connu : celui-ci ne se voit jamais ; mettez-le avant les autres.",
    ),
    "distance-ignored": (
        "Phones shorten a greatest distance of more than about {0} metres for this style.",
        "Pour ce style, les téléphones ramènent une distance de plus de {0} mètres environ.",
    ),
    "date-without-place": (
        "Older phones bring this style forward only near a place; add one.",
        "Les téléphones plus anciens ne proposent ce style que près d’un lieu ; ajoutez-en un.",
    ),
}
"""Code to sentence: English, French."""
