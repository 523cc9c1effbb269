"""Owns e-mail: one letter over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314).

Without TLS nothing is sent unless the channel was built for that (the sandbox): a relay that takes its STARTTLS away
gets neither the password nor a letter. `email.message` writes the headers, so that nothing in a name or a subject
begins a header of its own; `smtplib` doubles the dots.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from wallet_server.channels.port import Later, Letter, Refused, Taken, Verdict

STARTTLS, TLS, NONE = "starttls", "tls", "none"
MOST_SECONDS = 20.0
"""For the whole of one letter: a server that says a byte now and then does not hold a thread for ever."""
POLICY = SMTP_POLICY.clone(max_line_length=998)
"""Up to RFC 5322's limit (2.1.1): where it folds a header before an encoded word, a blank too many is read there."""
AWAY_SECONDS, GREY_SECONDS, MISSET_SECONDS = 30.0, 300.0, 600.0


@dataclass(frozen=True)
class Relay:
    """The server that takes our mail, and who we are there. `trust_pem`: a root to trust beside the system's."""

    host: str
    port: int
    security: str
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    trust_pem: str | None = None


class Email:
    """The e-mail channel; one connection for each letter, as letters are few and far between."""

    name, kind = "email", "email"

    def __init__(self, relay: Relay, seconds: float = MOST_SECONDS) -> None:
        self._relay, self._seconds = relay, seconds
        self._tls: ssl.SSLContext | None = None

    def send(self, letter: Letter) -> Verdict:
        """See `port.Channel.send`. 4yz: later. 5yz: never, where it is about the recipient or the letter; where it is
        about us (the door, the password, the sender) every letter waits until somebody mends it."""
        try:
            message = written(letter, self._relay.sender)
        except ValueError as fault:
            return Refused(f"The letter cannot be written: {fault}"[:200])
        return self._with_session(lambda smtp: self._hand_over(smtp, letter, message))

    def knock(self) -> str | None:
        """See `port.Channel.knock`: to the end of the sign-in."""
        verdict = self._with_session(lambda smtp: Taken(str(smtp.noop()[0])))
        return None if isinstance(verdict, Taken) else verdict.why

    def _with_session(self, work: Callable[[smtplib.SMTP], Verdict]) -> Verdict:
        try:
            with self._session() as smtp:
                return work(smtp)
        except _NoTls as fault:
            return Later(MISSET_SECONDS, str(fault), all_wait=True)
        except ssl.SSLCertVerificationError as fault:
            return Later(MISSET_SECONDS, f"The mail server's certificate is not good: {fault.verify_message}", True)
        except smtplib.SMTPAuthenticationError as fault:
            pause = MISSET_SECONDS if fault.smtp_code >= 500 else GREY_SECONDS
            return Later(pause, f"The mail server does not let us in: {_said(fault)}", all_wait=True)
        except smtplib.SMTPResponseException as fault:
            pause = MISSET_SECONDS if fault.smtp_code >= 500 else GREY_SECONDS
            return Later(pause, f"The mail server turned us away: {_said(fault)}", all_wait=True)
        except UnicodeError:
            return Refused("The address has letters that the mail server does not take.")
        except (smtplib.SMTPException, OSError) as fault:
            return Later(AWAY_SECONDS, f"The mail server is away: {type(fault).__name__}: {fault}"[:200], True)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        relay = self._relay
        here = "localhost"
        if relay.security == TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                relay.host, relay.port, here, timeout=self._seconds / 2, context=self._context()
            )
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, here, timeout=self._seconds / 2)
        watch = threading.Timer(self._seconds, _cut, (smtp,))
        watch.daemon = True
        watch.start()
        try:
            smtp.ehlo_or_helo_if_needed()
            if relay.security == STARTTLS:
                if not smtp.has_extn("starttls"):
                    raise _NoTls("The mail server offers no STARTTLS; nothing is sent in the clear.")
                smtp.starttls(context=self._context())
                smtp.ehlo_or_helo_if_needed()
            if relay.user is not None:
                smtp.login(relay.user, relay.password or "")
            yield smtp
        finally:
            watch.cancel()
            smtp.close()

    def _hand_over(self, smtp: smtplib.SMTP, letter: Letter, message: bytes) -> Verdict:
        code, said = smtp.mail(self._relay.sender, _options(smtp, message))
        if code != 250:
            return Later(MISSET_SECONDS if code >= 500 else GREY_SECONDS, _line(code, said), all_wait=True)
        code, said = smtp.rcpt(letter.to)
        if code not in (250, 251):
            return _of_letter(code, said)
        code, said = smtp.data(message)
        if code != 250:
            return _of_letter(code, said)
        # It is taken: whatever happens to the farewell changes nothing.
        return Taken(_line(code, said))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            made = ssl.create_default_context()
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            if self._relay.trust_pem is not None:
                made.load_verify_locations(cadata=self._relay.trust_pem)
            self._tls = made
        return self._tls


class _NoTls(Exception):
    """It would have gone in the clear."""


def written(letter: Letter, sender: str) -> bytes:
    """The message as it goes over the wire (RFC 5322). Raises `ValueError` for what cannot be an address or a header.

    Its Message-ID is the letter's own, so that a letter that was taken twice is recognised.
    """
    message = EmailMessage(policy=POLICY)
    domain = sender.rpartition("@")[2]
    message["From"] = Address(display_name=_line_of(letter.sender), addr_spec=sender)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = _line_of(letter.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notice answers it
    if letter.stop:
        # RFC 2369 and RFC 8058: mail programs show a button for it, and press it without opening a page.
        message["List-Unsubscribe"] = f"<{letter.stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.plain)
    message.add_alternative(letter.html, subtype="html")
    message["Content-Language"] = letter.language
    return message.as_bytes()


def _line_of(text: str) -> str:
    return " ".join(text.split())


def _options(smtp: smtplib.SMTP, message: bytes) -> list[str]:
    return [f"SIZE={len(message)}"] if smtp.has_extn("size") else []


def _of_letter(code: int, said: bytes | str) -> Verdict:
    """421 is the server's farewell (RFC 5321, 3.8) and 45z its own want of room; 4yz else is about this letter."""
    if code in (421, 451, 452):
        return Later(GREY_SECONDS, _line(code, said), all_wait=code != 451)
    if 400 <= code < 500:
        return Later(GREY_SECONDS, _line(code, said))
    if code < 0:
        return Later(AWAY_SECONDS, "The mail server hung up.", all_wait=True)
    return Refused(_line(code, said))


def _line(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(f"{code} {text}".split())[:200]


def _said(fault: smtplib.SMTPResponseException) -> str:
    return _line(fault.smtp_code, fault.smtp_error)


def _cut(smtp: smtplib.SMTP) -> None:
    wire = smtp.sock
    if wire is not None:
        try:
            wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
