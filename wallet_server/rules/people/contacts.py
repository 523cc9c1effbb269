"""Owns addresses under which a person is reached: one form for each, and how one is shown without giving it away.

An e-mail address is kept in small letters; a telephone number in E.164 (ITU-T), whatever way it was typed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers

from wallet_server.errors import Invalid

EMAIL, PHONE = "email", "phone"
KINDS = (EMAIL, PHONE)
MOST_EMAIL = 254
"""RFC 5321, 4.5.3.1.3: a path has 256 characters with its brackets."""
MOST_TYPED = 320

# What mail servers take in practice: RFC 5321's dot-string before the @, a name with a dot after it.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Address:
    """Where somebody is reached; `value` in the form that is stored and compared."""

    kind: str
    value: str


def normal_email(text: str) -> str:
    """One form for what is one mailbox nearly everywhere: without blanks around it, in small letters."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def email(text: str) -> Address:
    """An e-mail address as somebody typed it. Raises `Invalid` (`bad-address`)."""
    value = normal_email(text[:MOST_TYPED])
    local, _, domain = value.rpartition("@")
    try:
        labels = domain.encode("idna").decode().split(".")
    except UnicodeError:
        labels = []
    sound = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    if not sound or len(local) > 64 or len(value) > MOST_EMAIL or not _LOCAL.fullmatch(local):
        raise Invalid("This is not an e-mail address; write it like name@example.com.", code="bad-address", field=EMAIL)
    return Address(EMAIL, f"{local}@{'.'.join(labels)}")


def phone(text: str, region: str) -> Address:
    """A telephone number as somebody typed it; `region` (ISO 3166, FR) is where one without country code is from.

    Raises `Invalid` (`bad-address`) for what cannot be the number of anybody.
    """
    try:
        number = phonenumbers.parse(text[:40], region)
        sound = phonenumbers.is_valid_number(number) and number.extension is None
    except phonenumbers.NumberParseException:
        sound = False
    if not sound:
        raise Invalid(
            "This is not a telephone number; write it with its country code, like +33 6 12 34 56 78.",
            code="bad-address",
            field=PHONE,
        )
    return Address(PHONE, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def typed(text: str, region: str) -> Address:
    """What somebody wrote into one field for both. Raises `Invalid` (`bad-address`)."""
    return email(text) if "@" in text else phone(text, region)


def of(kind: str, text: str, region: str) -> Address:
    """An address of a kind that was named. Raises `Invalid` (`bad-address`)."""
    return email(text) if kind == EMAIL else phone(text, region)


def masked(address: Address) -> str:
    """Enough for its owner to know it, too little for anybody else: c•••@example.com, +33 ••• 78."""
    if address.kind == EMAIL:
        local, _, domain = address.value.rpartition("@")
        return f"{local[:1]}•••@{domain}"
    number = phonenumbers.parse(address.value)
    return f"+{number.country_code} ••• {address.value[-2:]}"


_MAILBOX = re.compile(r"[^\s<>()\[\]\",;:]+@[^\s<>()\[\]\",;:]*")
_DIGITS = re.compile(r"\+?\d[\d .()/-]*\d|\d")
_SAME_LINE = 8
"""Numbers that end in so many alike are one: +33 6 12 34 56 78 and 06 12 34 56 78."""


def hushed(text: str, address: Address) -> str:
    """What a server said about a letter, without the address that it went to nor any that looks like one."""
    plain = re.sub(re.escape(address.value), "…", text, flags=re.IGNORECASE)
    plain = _MAILBOX.sub("…", plain)
    if address.kind == EMAIL:
        local, _, _ = address.value.rpartition("@")
        if len(local) < 3:  # as a word of its own it names nobody
            return plain
        return re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "…", plain, flags=re.IGNORECASE)
    end = "".join(filter(str.isdigit, address.value))[-_SAME_LINE:]
    return _DIGITS.sub(lambda found: "…" if end in "".join(filter(str.isdigit, found[0])) else found[0], plain)
