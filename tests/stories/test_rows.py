"""Every story that a row of the checklist names is there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

HERE = Path(__file__).parent


def test_the_rows_name_stories_that_are_there() -> None:
    rows = tomllib.loads((HERE / "rows.toml").read_text("utf-8"))["rows"]
    assert rows
    for number, row in rows.items():
        assert int(number) > 0
        assert row["what"].strip()
        assert row["stories"] or row["left"].strip(), f"row {number}: a story, or what is left"
        for story in row["stories"]:
            file, _, name = story.partition("::")
            tree = ast.parse((HERE / file).read_text("utf-8"))
            found = {one.name for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}
            assert found, story
            assert not name or name in found, story


ENGINE = {*range(4, 14), *range(37, 48), 55, 92, 108, 109}
"""The rows of the loyalty engine and its books."""


def test_every_row_of_the_engine_is_shown_over_the_wire() -> None:
    rows = tomllib.loads((HERE / "rows.toml").read_text("utf-8"))["rows"]
    assert [number for number in sorted(ENGINE) if not rows.get(str(number), {}).get("stories")] == []
