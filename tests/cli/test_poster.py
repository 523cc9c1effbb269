"""The poster from the command line: a file with the store's link, or a sentence that says what to name."""

from __future__ import annotations

import re

from tests.cli.conftest import House


def test_a_poster_is_written_to_a_file(house: House) -> None:
    file = house.folder / "poster.pdf"
    asked = house.run("poster", house.facts["programme"], "--out", str(file))
    assert asked.exit_code == 2
    stores = re.findall(r"sto_\w+", asked.output)
    assert len(stores) == 3, "which one has to be said"
    made = house.run("poster", house.facts["programme"], "--store", stores[1], "--size", "a6", "--out", str(file))
    assert made.exit_code == 0, made.output
    assert file.read_bytes().startswith(b"%PDF-")
    assert f"/join/{house.facts['join_code']}?store={stores[1]}" in made.output
    assert house.run("poster", house.facts["programme"], "--store", "sto_none", "--out", str(file)).exit_code == 1
    assert house.run("poster", "prog_none", "--out", str(file)).exit_code == 1
