"""A phone is rung by certificate, by push key and by certificate again, and signed for by a certificate that the
settings brought; everything is counted where Prometheus reads it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import mostly_on
from tests.stories.conftest import MakeStage
from tests.stories.stage import Stage, shown
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.sandbox.phones.phone import Phone

TOKEN = "figures-for-the-one-who-watches"


def figures(stage: Stage) -> dict[str, float]:
    answer = stage.call("GET", "/metrics", key=TOKEN)
    assert answer.status == 200, answer
    families = text_string_to_metric_families(answer.body.decode())
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for family in families
        for sample in family.samples
    }


def sell_until(stage: Stage, phone: Phone, what: str, rung_so: str) -> None:
    """Sales of one point each, until the push service counts a bell of this kind and the phone shows the balance."""
    before = getattr(stage.apns.counts, rung_so)

    def once_more() -> bool:
        assert stage.sell(stage.code(phone), 100).status == 200
        due = shown(phone, "points") + 1
        stage.until(lambda: shown(phone, "points") >= due, "the phone follows")
        return bool(getattr(stage.apns.counts, rung_so) > before)

    stage.until(once_more, what)


@mostly_on("sqlite")
def test_a_phone_is_rung_by_certificate_and_by_push_key(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage(extra={"WALLET_LEASE_SECONDS": "10", "WALLET_METRICS_TOKEN": TOKEN})
    assert stage.call("GET", "/metrics").status == 401
    phone = stage.phone(stage.enrol())
    sell_until(stage, phone, "rung by the certificate", "accepted")
    assert stage.apns.counts.by_token == 0

    kid, _ = stage.authority.push_key(TEAM)
    file = stage.folder / "authority" / f"AuthKey_{kid}.p8"
    done = stage.command("setup", "apple", "token", "install", "--key", str(file), "--team", TEAM)
    assert done.returncode == 0, done.stderr
    sell_until(stage, phone, "rung by the push key", "by_token")
    assert f"push key {kid}" in stage.command("setup", "apple", "list").stdout
    removed = stage.command("setup", "apple", "token", "remove", "--team", TEAM)
    assert removed.returncode == 0, removed.stderr

    certificate, key = stage.authority.renewed_certificate(PASS_TYPE, TEAM)
    leaf, wwdr = (x509.load_pem_x509_certificate(one) for one in (certificate, stage.authority.wwdr_pem))
    lock = BestAvailableEncryption(b"geheim")
    bundle = pkcs12.serialize_key_and_certificates(b"pass", load_pem_private_key(key, None), leaf, [wwdr], lock)  # type: ignore[arg-type]
    (tmp_path / "pass.p12").write_bytes(bundle)
    assert stage.stop() == 0
    stage.start(WALLET_APPLE_P12_FILE=str(tmp_path / "pass.p12"), WALLET_APPLE_PASSWORD="geheim")
    counted = stage.apns.counts.by_token
    sell_until(stage, phone, "rung by the renewed certificate", "accepted")
    assert stage.apns.counts.by_token == counted
    told = next(iter(phone.cards.values())).file.document
    path = f"/apple/v1/passes/{PASS_TYPE}/{told['serialNumber']}"
    got = stage.call("GET", path, Authorization=f"ApplePass {told['authenticationToken']}")
    with zipfile.ZipFile(io.BytesIO(got.body)) as card:
        signers = load_der_pkcs7_certificates(card.read("signature"))
    assert leaf.serial_number in [one.serial_number for one in signers]

    found = figures(stage)
    assert found["wallet_pushes_total told"] == stage.apns.counts.accepted
    assert found["wallet_pushes_total refused"] == found["wallet_pushes_total later"] == 0
    assert found["wallet_sales_total"] == shown(phone, "points")
    assert found["wallet_passes_total served"] >= 4
    assert found["wallet_dead_jobs"] == 0
    back = stage.command("setup", "apple", "back", "--pass-type", PASS_TYPE)
    assert back.returncode == 0, back.stderr
    assert "geheim" not in (stage.folder / "server.log").read_text()
