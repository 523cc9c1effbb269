"""The benchmarks that the page of figures names still run, as far as that takes no time."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from benchmarks import signing
from benchmarks.signing_cards import points_cards, sample_card

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NAMED = sorted(set(re.findall(r"`(?:nice -n 10 )?python -m (benchmarks\.\w+)", PAGE.read_text("utf-8"))))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", NAMED)
def test_each_that_is_named_can_be_asked_what_it_does(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert not ended.value.code
    assert "usage" in capsys.readouterr().out


def test_what_it_signs_with_is_taken() -> None:
    _, credentials = signing.make_credentials()
    made = signing.product(credentials, "points", points_cards(sample_card())[:2])()
    assert isinstance(made, bytes)
    assert made[:2] == b"PK"
