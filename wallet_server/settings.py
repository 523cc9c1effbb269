"""Owns every setting: its variable, type, default, secrecy and one sentence; nothing else reads the environment.

Each variable `WALLET_X` may be given as `WALLET_X_FILE`, a path whose content is the value (for secrets from a
mounted file). A value that cannot be read stops the start with a sentence that names the variable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wallet_server import setting_values as values
from wallet_server.errors import Misconfigured

LIVE, SANDBOX = "live", "sandbox"
OFF, LOCAL, FILES = "off", "local", "files"
GOOGLE_API = "https://walletobjects.googleapis.com"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GOOGLE_SAVE = "https://pay.google.com/gp/v/save"
GOOGLE_ROOTS = "https://pay.google.com/gp/m/issuer/keys"


def _setting(
    default: Any, sentence: str, read: Callable[[Any], Any], *, secret: bool = False, binary: bool = False
) -> Any:
    told = {"sentence": sentence, "read": read, "secret": secret, "binary": binary}
    return field(default=default, repr=not secret, metadata=told)


@dataclass(frozen=True)
class Settings:
    """The whole configuration, frozen. Build it with `from_env`; tests build it by keyword."""

    environment: str = _setting(
        LIVE,
        "`live`, or `sandbox` on a developer's machine: only there are addresses and certificates allowed that are "
        "not Apple's or Google's.",
        values.one_of(LIVE, SANDBOX),
    )
    data_dir: Path = _setting(
        Path("data"), "Folder for the embedded database, the secret keys and backups.", lambda t: Path(t).absolute()
    )
    database_url: str | None = _setting(
        None,
        "Database: `postgresql://…`, or `sqlite:////absolute/path`; by default SQLite in the data folder.",
        values.database_address,
        secret=True,
    )
    secret_keys: str | None = _setting(
        None,
        "Keys that encrypt secrets at rest, one `id:base64 of 32 bytes` a line, the current one first; by default "
        "the file `secret.keys` in the data folder, made at the first start.",
        str,
        secret=True,
    )
    base_url: str = _setting(
        "http://127.0.0.1:8080", "Public address of this service, as phones and browsers see it.", values.address
    )
    host: str = _setting("127.0.0.1", "Address to listen on.", str)
    port: int = _setting(8080, "Port to listen on.", values.whole(1, 65535))
    tls: str = _setting(
        OFF,
        "`off` behind a proxy that speaks https; `local` for https on the local network, with a certificate of the "
        "product's own; `files` with yours.",
        values.one_of(OFF, LOCAL, FILES),
    )
    tls_certificate: Path | None = _setting(
        None, "With `files`: the certificate and its chain, one PEM file.", lambda t: Path(t).absolute()
    )
    tls_key: Path | None = _setting(
        None, "With `files`: the file of the certificate's private key (PEM).", lambda t: Path(t).absolute()
    )
    trust_port: int | None = _setting(
        None,
        "With `local`: port of the plain page that helps devices to trust the certificate; by default the second "
        "after WALLET_PORT.",
        values.whole(1, 65535),
    )
    workers: int = _setting(1, "Server processes; the embedded database wants 1.", values.whole(1, 64))
    threads: int = _setting(8, "Threads in each server process.", values.whole(1, 128))
    worker: str = _setting(
        "embedded",
        "`embedded` runs delivery in a thread of `wallet-server run`; `none` leaves it to `wallet-server worker`.",
        values.one_of("embedded", "none"),
    )
    designs_dir: Path | None = _setting(
        None, "Folder of card designs; by default the shipped ones.", lambda t: Path(t).absolute()
    )
    coalesce_seconds: float = _setting(
        30.0,
        "After a card was refreshed, further changes within this time become one refresh at its end.",
        values.seconds(0, 3600),
    )
    lease_seconds: float = _setting(
        60.0, "How long a worker may hold a batch of jobs before another takes it over.", values.seconds(1, 3600)
    )
    batch_size: int = _setting(
        100, "Jobs claimed at once; of a mass change, cards published in one transaction.", values.whole(1, 1000)
    )
    cards_per_second: int = _setting(
        2_000,
        "Most cards of a mass change (an announcement, a new version) that are refreshed and told in a second; below "
        "it the pace follows what the server serves to the phones that come back.",
        values.whole(1, 100_000),
    )
    apns_url: str = _setting(
        "https://api.push.apple.com", "Address of Apple's push service; only the sandbox may change it.", values.address
    )
    apns_ca: str | None = _setting(
        None, "Trust root (PEM) for the push service; only the sandbox may set it.", str, secret=False
    )
    phones_url: str | None = _setting(
        None, "Address of the page with the simulated phones; only the sandbox has one.", values.address
    )
    apns_push_type: str = _setting(
        "background", "apns-push-type header of pass pushes.", values.one_of("background", "alert", "none")
    )
    apns_priority: int = _setting(
        5,
        "apns-priority header of pass pushes: 10 at once, 5 as the phone's battery allows, 1 when it is awake anyway; "
        "`background` pushes take no 10.",
        lambda text: int(values.one_of("1", "5", "10")(text)),
    )
    apns_expiration_hours: int = _setting(
        48, "How long Apple keeps a push for a phone that is off.", values.whole(24, 30 * 24)
    )
    apple_certificate: bytes | None = _setting(
        None,
        "A pass certificate to install at the start, if it is new: PEM, or base64 of what Apple's portal gave; "
        "one PEM may hold its key and its intermediate too.",
        values.papers,
        secret=True,
        binary=True,
    )
    apple_key: bytes | None = _setting(None, "Its private key, likewise.", values.papers, secret=True, binary=True)
    apple_wwdr: bytes | None = _setting(
        None,
        "Its intermediate (WWDR G4), unless it comes with the .p12 or is known already.",
        values.papers,
        binary=True,
    )
    apple_p12: bytes | None = _setting(
        None,
        "In place of certificate and key: a .p12 export, in base64 or as a file.",
        values.papers,
        secret=True,
        binary=True,
    )
    apple_password: str | None = _setting(None, "Password of the .p12 or of the key.", str, secret=True)
    apple_intermediates: tuple[str, ...] = _setting(
        (),
        "Intermediates of Apple's that certificates are taken from beside WWDR G4: their SHA-256 fingerprints in hex, "
        "separated by blanks or commas.",
        values.fingerprints,
    )
    google_issuer: str | None = _setting(
        None, "Number of your issuer at Google Wallet; with the service account it is installed at the start.", str
    )
    google_service_account: str | None = _setting(
        None,
        "The JSON file of the service account that speaks for it, as the Google Cloud console gave it.",
        str,
        secret=True,
    )
    google_api_url: str = _setting(
        GOOGLE_API,
        "Address of Google's Wallet API; only the sandbox may change this and the next four.",
        values.address,
    )
    google_token_url: str = _setting(GOOGLE_TOKEN, "Where its access tokens come from.", values.address)
    google_save_url: str = _setting(GOOGLE_SAVE, "Where a card is added to Google Wallet.", values.address)
    google_roots_url: str = _setting(GOOGLE_ROOTS, "The keys by which Google's messages are verified.", values.address)
    google_ca: str | None = _setting(None, "Trust root (PEM) for these addresses.", str)
    google_requests_per_second: int = _setting(
        15,
        "Requests to Google Wallet in a second for each issuer, over all processes together; Google takes 20. Above "
        "that: four fifths of what you were granted.",
        values.whole(1, 100_000),
    )
    smtp_host: str | None = _setting(
        None, "Mail server that takes the letters to your members; without it nothing goes out by e-mail.", str
    )
    smtp_port: int = _setting(587, "Its port: 587 with `starttls`, 465 with `tls`.", values.whole(1, 65535))
    smtp_security: str = _setting(
        "starttls",
        "`starttls`; `tls` from the first byte; `none` in the sandbox alone.",
        values.one_of("starttls", "tls", "none"),
    )
    smtp_user: str | None = _setting(None, "Whom we sign in there as.", str)
    smtp_password: str | None = _setting(None, "The password for it.", str, secret=True)
    smtp_from: str | None = _setting(
        None, "The address that letters come from, such as cards@example.com.", values.mailbox
    )
    smtp_ca: str | None = _setting(
        None, "Trust root (PEM) for the mail server, for one with a certificate of your own.", str
    )
    sms_url: str | None = _setting(
        None,
        "Address of the gateway that takes short messages (docs/channels.md); without it none goes out.",
        values.address,
    )
    sms_key: str | None = _setting(None, "Our key at the gateway.", str, secret=True)
    sms_from: str | None = _setting(
        None, "What short messages come from: up to 11 letters and digits, or a number.", values.short_sender
    )
    sms_ca: str | None = _setting(None, "Trust root (PEM) for the gateway, likewise.", str)
    phone_region: str = _setting(
        "FR", "Country of telephone numbers that are typed without one (ISO 3166, such as FR).", values.region
    )
    letters_per_hour: int = _setting(
        2_000, "Letters to members that go out for one account in an hour.", values.whole(1, 10_000_000)
    )
    buttons_dir: Path | None = _setting(
        None,
        "Folder with the wallets' own buttons, such as `google-en.svg`; without it buttons are plain text.",
        lambda t: Path(t).absolute(),
    )
    metrics_token: str | None = _setting(
        None,
        "What `GET /metrics` asks for (Authorization: Bearer …); without it there are none.",
        values.long_secret,
        secret=True,
    )
    database_wait_seconds: float = _setting(
        5.0,
        "How long a write waits for a locked database before the caller is told to come back.",
        values.seconds(0.05, 60),
    )
    pool_size: int = _setting(16, "Database connections kept open in each process.", values.whole(1, 200))
    max_body_bytes: int = _setting(256 * 1024, "Largest request body.", values.whole(1024, 16 * 1024 * 1024))
    requests_per_minute: int = _setting(
        6000, "Requests that one key may make in a minute, over all processes together.", values.whole(1, 10_000_000)
    )
    trusted_proxies: int = _setting(
        0,
        "Proxies before this service whose X-Forwarded headers are believed: without it every visitor behind a proxy "
        "looks like one.",
        values.whole(0, 10),
    )
    joins_per_hour: int = _setting(
        60,
        "Cards that may be made on the join page from one address in an hour (a shop's Wi-Fi is one address).",
        values.whole(1, 1_000_000),
    )
    joins_per_minute: int = _setting(
        300, "Cards that may be made on one programme's join page in a minute.", values.whole(1, 1_000_000)
    )
    guesses_per_hour: int = _setting(
        20, "Recovery codes that may be tried from one address in an hour.", values.whole(1, 1_000_000)
    )
    phone_log_lines: int = _setting(
        10_000,
        "Log lines from phones that are kept: so many of phones that hold the card they name, and so many others; "
        "older ones go first.",
        values.whole(0, 10_000_000),
    )
    sign_up: str = _setting(
        "first",
        "Who may found a shop in the browser: `first` only with the link that `wallet-server run` prints while there "
        "is no account, `open` anybody, `closed` nobody.",
        values.one_of("first", "open", "closed"),
    )
    second_factor_days: int = _setting(
        7, "Days after which an owner must have a second factor or a passkey.", values.whole(0, 365)
    )
    link_minutes: int = _setting(30, "How long a link to download a pass can be used.", values.whole(1, 24 * 60))
    log_level: str = _setting("info", "Least severe log level.", values.one_of("debug", "info", "warning", "error"))

    @property
    def sandbox(self) -> bool:
        """True on a developer's machine, where vendors may be simulated."""
        return self.environment == SANDBOX

    @property
    def database(self) -> str:
        """The database's address; SQLite paths are absolute (Flask-SQLAlchemy would put a relative one elsewhere)."""
        return self.database_url or f"sqlite:///{(self.data_dir.absolute() / 'wallet.db')}"

    @property
    def trust_address(self) -> str | None:
        """Where devices on the local network learn to trust the product's own certificate; plain http, on purpose."""
        if self.tls != LOCAL:
            return None
        host = urlsplit(self.base_url).hostname or self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.trust_port or self.port + 2}/trust"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `WALLET_*`. Raises `Misconfigured` for a bad or an unknown variable, naming it."""
        env = os.environ if environ is None else environ
        known = {variable(f.name): f for f in fields(cls)}
        given: dict[str, Any] = {}
        for name in sorted(env):
            if not name.startswith("WALLET_") or name.startswith("WALLET_TEST_"):
                continue
            base = name.removesuffix("_FILE")
            setting = known.get(name) or known.get(base)
            if setting is None:
                raise Misconfigured(f"{name} is not a setting of this product; see the settings in the README.")
            try:
                given[setting.name] = setting.metadata["read"](_given(env[name], name in known, setting.metadata))
            except (ValueError, OSError) as fault:
                raise Misconfigured(f"{name}: {fault}") from fault
        settings = cls(**{"data_dir": Path("data").absolute(), **given})
        settings.check()
        return settings

    def check(self) -> None:
        """Raises `Misconfigured` where two settings contradict each other or live would trust a stranger."""
        if not self.sandbox and (self.apns_ca or urlsplit(self.apns_url).hostname != "api.push.apple.com"):
            raise Misconfigured(
                "WALLET_APNS_URL and WALLET_APNS_CA may point away from Apple only when WALLET_ENVIRONMENT is sandbox."
            )
        google = self.google_api_url, self.google_token_url, self.google_save_url, self.google_roots_url, self.google_ca
        if not self.sandbox and google != (GOOGLE_API, GOOGLE_TOKEN, GOOGLE_SAVE, GOOGLE_ROOTS, None):
            raise Misconfigured(
                "WALLET_GOOGLE_API_URL, _TOKEN_URL, _SAVE_URL, _ROOTS_URL and _CA may point away from Google only when "
                "WALLET_ENVIRONMENT is sandbox."
            )
        if self.smtp_security == "none" and not self.sandbox:
            raise Misconfigured("WALLET_SMTP_SECURITY may be none only when WALLET_ENVIRONMENT is sandbox.")
        if (self.smtp_host is None) != (self.smtp_from is None):
            raise Misconfigured("WALLET_SMTP_HOST and WALLET_SMTP_FROM go together.")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise Misconfigured("WALLET_SMTP_USER and WALLET_SMTP_PASSWORD go together.")
        if (self.sms_url is None) != (self.sms_key is None):
            raise Misconfigured("WALLET_SMS_URL and WALLET_SMS_KEY go together.")
        if self.sms_url is not None and not self.sms_url.startswith("https://") and not self.sandbox:
            raise Misconfigured("WALLET_SMS_URL must begin with https://: the key and the numbers go there.")
        if (self.google_issuer is None) != (self.google_service_account is None):
            raise Misconfigured("WALLET_GOOGLE_ISSUER and WALLET_GOOGLE_SERVICE_ACCOUNT go together.")
        if self.apns_push_type == "background" and self.apns_priority == 10:
            raise Misconfigured("WALLET_APNS_PRIORITY may be 10 only when WALLET_APNS_PUSH_TYPE is not background.")
        given = {self.tls_certificate is not None, self.tls_key is not None}
        if given != {self.tls == FILES}:
            raise Misconfigured(
                "WALLET_TLS_CERTIFICATE and WALLET_TLS_KEY go together with WALLET_TLS=files, and only with it."
            )
        if self.tls != OFF and not self.base_url.startswith("https://"):
            raise Misconfigured(
                "With WALLET_TLS, phones and browsers come over https: WALLET_BASE_URL must begin with https://, such "
                "as https://shop.local:8080."
            )
        if self.tls == LOCAL and self.trust_port == self.port:
            raise Misconfigured("WALLET_TRUST_PORT and WALLET_PORT must differ; one speaks http, the other https.")


def _given(value: str, itself: bool, metadata: Mapping[str, Any]) -> str | bytes:
    """The value of a variable, or what is in the file that it names."""
    if itself:
        return value
    file = Path(value)
    if not metadata["binary"]:
        return file.read_text(encoding="utf-8").strip()
    with file.open("rb") as handle:
        return handle.read(values.MOST_PAPERS + 1)


def variable(name: str) -> str:
    """The environment variable of a setting: `coalesce_seconds` is `WALLET_COALESCE_SECONDS`."""
    return f"WALLET_{name.upper()}"


def table() -> list[tuple[str, str, str, bool]]:
    """Every setting as (variable, default, sentence, secret), for the README and its test."""
    rows = []
    for f in fields(Settings):
        default = "" if f.default in (None, (), MISSING) else str(f.default)
        rows.append((variable(f.name), default, f.metadata["sentence"], f.metadata["secret"]))
    return rows
