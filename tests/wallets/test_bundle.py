"""Several passes in one file: each as it was signed, at most ten of them, and refused by a phone when it is anything
else."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.world import shipped_wallet
from wallet_server.errors import Invalid
from wallet_server.sandbox.passes import PassRefused, open_bundle


def zipped(**files: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return raw.getvalue()


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_bundle_holds_each_pass_as_it_is(count: int) -> None:
    bodies = [bytes([number]) * (1000 + number) for number in range(count)]
    issued = shipped_wallet().bundle(bodies)
    assert issued.media_type == "application/vnd.apple.pkpasses"
    assert issued == shipped_wallet().bundle(bodies)
    with zipfile.ZipFile(io.BytesIO(issued.body)) as archive:
        assert archive.testzip() is None
        assert all(name.endswith(".pkpass") for name in archive.namelist())
        assert len(set(archive.namelist())) == count
    assert open_bundle(issued.body) == bodies


@pytest.mark.parametrize("count", [0, 11])
def test_more_than_ten_passes_or_none_are_no_bundle(count: int) -> None:
    with pytest.raises(Invalid):
        shipped_wallet().bundle([b"pass"] * count)


@pytest.mark.parametrize(
    "raw",
    [
        b"no zip",
        zipped(),
        zipped(pass_json=b"{}"),
        zipped(one_pkpass=b"1", readme_txt=b"2"),
        zipped(**{f"n{number}_pkpass": b"1" for number in range(11)}),
        zipped(one_pkpass=b"1" * 100)[:-30],
    ],
)
def test_a_phone_takes_nothing_else_for_a_bundle(raw: bytes) -> None:
    with pytest.raises(PassRefused):
        open_bundle(raw)
