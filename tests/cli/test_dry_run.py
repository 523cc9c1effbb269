"""What a draft would change, from the command line."""

from __future__ import annotations

import json

from tests.cli.conftest import House
from tests.conftest import whole_module_mostly_on
from wallet_server.rules.programme.program import default_document

database_kind = whole_module_mostly_on("sqlite")


def test_a_draft_is_tried_on_all_members(house: House) -> None:
    made = house.run("found", "Boulangerie")
    facts = json.loads(made.output[made.output.index("{") : made.output.rindex("}") + 1])
    draft = default_document("Boulangerie")
    draft["currencies"][0]["spendable"] = False
    file = house.folder / "draft.json"
    file.write_text(json.dumps(draft), encoding="utf-8")
    said = house.run("dry-run", facts["programme"], str(file))
    assert said.exit_code == 0, said.output
    assert "0 members, version 1." in said.output
    assert "Tiers: 0 up, 0 down" in said.output
    told = house.run("dry-run", facts["programme"], str(file), "--json")
    assert json.loads(told.output)["complete"] is True
    draft["currencies"] = []
    file.write_text(json.dumps(draft), encoding="utf-8")
    refused = house.run("dry-run", facts["programme"], str(file))
    assert refused.exit_code == 1
    assert "currencies" in refused.output
