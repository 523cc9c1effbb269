"""Owns the proof that phones are rung with provider tokens (.p8): sound, renewed seldom, refused with a reason."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wallet_server.errors import Misconfigured
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.provider_tokens import TokenKeys
from wallet_server.wallets.apple.provider_token import LEAST_AGE, PushKey
from wallet_server.wallets.apple.push import Bell, Outcome, Target

PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


@dataclass
class Fixed:
    """A provider with a token of a given age, renewed by the rule."""

    key: PushKey
    made_at: datetime
    token: str = ""
    renewals: int = 0
    name: str = "TEAM/KEY"
    given: list[str] = field(default_factory=list)

    def bearer(self, at: datetime) -> str:
        self.token = self.token or self.key.sign(self.made_at)
        return self.token

    def renewed(self, at: datetime, refused: str) -> str | None:
        if refused != self.token or at - self.made_at < LEAST_AGE:
            return None if refused == self.token else self.token
        self.made_at, self.renewals, self.token = at, self.renewals + 1, self.key.sign(at)
        return self.token


@pytest.fixture
def key(apns_authority: Authority) -> PushKey:
    kid, pem = apns_authority.push_key(TEAM)
    return PushKey.load(pem, kid, TEAM)


@pytest.fixture
def keys(key: PushKey) -> TokenKeys:
    made = TokenKeys(clock=lambda: NOW)
    made.register(key.kid, TEAM, key.key_pem, PASS_TYPE)
    return made


@pytest.fixture
def apns(apns_authority: Authority, keys: TokenKeys) -> Iterator[ApnsServer]:
    with ApnsServer(apns_authority, token_keys=keys).in_thread() as server:
        yield server


@pytest.fixture
def bell(apns: ApnsServer, apns_authority: Authority) -> Iterator[Bell]:
    made = Bell(address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield made
    made.close()


def ring(bell: Bell, provider: Fixed, count: int, topic: str = PASS_TYPE, at: datetime = NOW) -> list[Outcome]:
    some = (Target(f"{number:064x}", NOW, number) for number in range(count))
    return list(bell.ring(b"", b"", topic, some, at, provider))


def fates(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.fate.value for outcome in outcomes)


def test_phones_are_rung_with_a_token_and_no_certificate(apns: ApnsServer, bell: Bell, key: PushKey) -> None:
    provider = Fixed(key, NOW)
    assert fates(ring(bell, provider, 300)) == {"told": 300}
    assert (apns.counts.accepted, apns.counts.by_token, apns.counts.connections) == (300, 300, 1)
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in provider.token.split("."))
    assert json.loads(header) == {"alg": "ES256", "kid": key.kid}
    assert json.loads(claims) == {"iss": TEAM, "iat": int(NOW.timestamp())}


def test_an_expired_token_is_renewed_once_and_everything_goes_again(apns: ApnsServer, bell: Bell, key: PushKey) -> None:
    provider = Fixed(key, NOW - HOUR - timedelta(seconds=5))
    assert fates(ring(bell, provider, 200)) == {"told": 200}
    assert provider.renewals == 1
    assert apns.counts.accepted == 200
    assert set(apns.counts.refused) == {"ExpiredProviderToken"}
    assert fates(ring(bell, provider, 50)) == {"told": 50}
    assert provider.renewals == 1


def test_a_token_that_expires_amid_a_batch_costs_no_phone(
    apns: ApnsServer, bell: Bell, key: PushKey, keys: TokenKeys
) -> None:
    provider = Fixed(key, NOW - timedelta(minutes=59))
    rung: list[Outcome] = []
    some = (Target(f"{number:064x}", NOW, number) for number in range(3_000))
    for outcome in bell.ring(b"", b"", PASS_TYPE, some, NOW, provider):
        rung.append(outcome)
        if len(rung) == 200:
            keys.clock = lambda: NOW + timedelta(minutes=2)
    assert fates(rung) == {"told": 3_000}
    assert provider.renewals == 1
    assert apns.counts.refused["ExpiredProviderToken"] >= 1


def test_a_fresh_token_that_is_called_expired_is_a_wrong_clock_and_not_renewed(
    apns: ApnsServer, bell: Bell, key: PushKey, keys: TokenKeys
) -> None:
    keys.clock = lambda: NOW + 2 * HOUR
    provider = Fixed(key, NOW - timedelta(minutes=1))
    outcomes = ring(bell, provider, 20)
    assert fates(outcomes) == {"refused": 20}
    assert provider.renewals == 0
    assert outcomes[0].alarm is not None
    assert "clock" in outcomes[0].alarm.sentence


def test_a_revoked_key_and_another_teams_pass_type_are_alarms_and_no_phone_is_forgotten(
    apns: ApnsServer, bell: Bell, key: PushKey, keys: TokenKeys
) -> None:
    keys.register("ZZZZZZZZZZ", "OTHER12345", key.key_pem, "pass.com.example.other")
    for topic in ("pass.com.example.other", "pass.com.example.nobody"):
        assert fates(ring(bell, Fixed(key, NOW), 5, topic)) == {"refused": 5}
    assert apns.counts.refused["TopicDisallowed"] >= 2
    keys.revoke(key.kid)
    outcomes = ring(bell, Fixed(key, NOW), 5)
    assert fates(outcomes) == {"refused": 5}
    assert outcomes[0].alarm is not None
    assert "push key" in outcomes[0].alarm.sentence
    assert "InvalidProviderToken" in outcomes[0].alarm.sentence


@pytest.mark.parametrize(
    "how", ["another key", "another team", "another algorithm", "too long ago", "tomorrow", "junk"]
)
def test_the_sandbox_takes_no_token_that_apple_would_not(key: PushKey, keys: TokenKeys, how: str) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sound = key.sign(NOW)
    token = {
        "another key": PushKey.load(stranger, key.kid, TEAM).sign(NOW),
        "another team": PushKey.load(key.key_pem, key.kid, "ZZZZZ99999").sign(NOW),
        "another algorithm": sound.replace(sound.split(".")[0], base64.urlsafe_b64encode(
            json.dumps({"alg": "none", "kid": key.kid}).encode()).decode().rstrip("=")),
        "too long ago": key.sign(NOW - 2 * HOUR),
        "tomorrow": key.sign(NOW + 24 * HOUR),
        "junk": sound[:-2],
    }[how]  # fmt: skip
    expected = "ExpiredProviderToken" if how == "too long ago" else "InvalidProviderToken"
    assert keys.fault(f"bearer {sound}", PASS_TYPE) is None
    assert keys.fault(f"bearer {token}", PASS_TYPE) == expected


def test_without_token_or_topic_nothing_passes(key: PushKey, keys: TokenKeys) -> None:
    assert keys.fault("", PASS_TYPE) == "MissingProviderToken"
    assert keys.fault(f"bearer {key.sign(NOW)}", "") == "MissingTopic"
    assert keys.fault(f"bearer {key.sign(NOW)}", "pass.com.example.nobody") == "TopicDisallowed"


def test_what_is_no_push_key_is_told_with_everything_at_once(apns_authority: Authority) -> None:
    for junk in (b"", b"junk", apns_authority.pass_certificate(PASS_TYPE, TEAM)[1]):
        with pytest.raises(Misconfigured) as refusal:
            PushKey.load(junk, "short", "small")
        assert [fault.path for fault in refusal.value.faults] == ["kid", "team", "key"]


def test_the_key_is_never_shown(key: PushKey) -> None:
    assert "PRIVATE" not in repr(key)
    assert "PushKey" in repr(key)
