"""The papers are complete and true: settings, routes, error codes, commands and links are those of the product."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from werkzeug.exceptions import default_exceptions

from wallet_server import errors
from wallet_server.app import create_app
from wallet_server.cli import main
from wallet_server.errors import WalletError
from wallet_server.settings import Settings, table
from wallet_server.web.problems import BY_CODE, STATUS

TOP = Path(__file__).resolve().parents[2]
README = TOP / "README.md"
PAPERS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("certs/*.md")])
NAMES = [str(paper.relative_to(TOP)) for paper in PAPERS]
LOOKING = click.Context(main)
PLACEHOLDER = re.compile(
    r"\b(TODO|FIXME|TBD|XXX|WIP|lorem ipsum|coming soon|to be written|placeholder)\b", re.IGNORECASE
)


def rows(text: str) -> list[list[str]]:
    """The cells of every line of every table, headings and rules left out."""
    lines = re.findall(r"^\|(.+)\|$", text, re.MULTILINE)
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return [cells for cells in found if not all(re.fullmatch(r":?-+:?", cell) for cell in cells)]


def section(text: str, heading: str) -> str:
    """What stands under one heading, up to the next of its rank."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


# ---------------------------------------------------------------------- settings


def settings_table() -> str:
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for variable, default, sentence, secret in table():
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{variable}` | {shown} | {sentence}{' Secret.' if secret else ''} |")
    return "\n".join(lines)


def test_the_readme_has_the_table_of_settings_as_the_product_has_it() -> None:
    between = README.read_text("utf-8").split("<!-- settings -->\n")[1].split("\n<!-- /settings -->")[0]
    assert between == settings_table(), "put this between the two marks:\n" + settings_table()


@pytest.mark.parametrize("name", NAMES)
def test_no_paper_names_a_setting_that_does_not_exist(name: str) -> None:
    known = {variable for variable, *_ in table()}
    named = set(re.findall(r"\bWALLET_[A-Z_]*[A-Z]\b", (TOP / name).read_text("utf-8")))
    ours = {n.removesuffix("_FILE") for n in named if not n.startswith("WALLET_TEST_")}
    assert ours <= known


# ---------------------------------------------------------------------- routes


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("routes")))


def test_every_route_is_documented_and_no_other(app: Flask) -> None:
    served = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    documented = [(r[0], r[1].strip("`")) for r in rows((TOP / "docs/api.md").read_text("utf-8")) if r[0] in methods]
    assert sorted(documented) == sorted(served)


# ---------------------------------------------------------------------- error codes


KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, WalletError)}


def raised() -> dict[str, set[int]]:
    """Every code with the statuses under which the source can answer it."""
    found: dict[str, set[int]] = defaultdict(set)
    for kind in KINDS.values():
        found[kind.code].add(status_of(kind, kind.code))
    answers = re.compile("|".join(["problem", *KINDS]))  # most files answer nothing and need no closer look
    for file in sorted((TOP / "wallet_server").rglob("*.py")):
        text = file.read_text("utf-8")
        if "sandbox" in file.relative_to(TOP).parts or not answers.search(text):
            continue
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            code = next((k.value for k in call.keywords if k.arg == "code"), None)
            if name == "problem" and isinstance(call.args[0], ast.Constant) and isinstance(call.args[1], ast.Constant):
                found[str(call.args[1].value)].add(int(call.args[0].value))  # type: ignore[arg-type]
            elif name in KINDS:
                assert code is None or isinstance(code, ast.Constant), f"{file}:{call.lineno}: write the code out"
                said = KINDS[name].code if code is None else str(code.value)
                found[said].add(status_of(KINDS[name], said))
    return found


def status_of(kind: type[WalletError], code: str) -> int:
    return BY_CODE.get(code) or next((status for base, status in STATUS if issubclass(kind, base)), 400)


@pytest.mark.slow
def test_every_error_code_is_documented_with_its_statuses_and_no_other() -> None:
    paper = section((TOP / "docs/errors.md").read_text("utf-8"), "Codes")
    lines = [row for row in rows(paper) if row[0].startswith("`")]
    documented = {row[0].strip("`"): {int(n) for n in row[1].split(",")} for row in lines}
    assert documented == raised()
    codes = [row[0].strip("`") for row in lines]
    assert codes == sorted(set(codes)), "once each, in the order of the alphabet"
    assert all(len(row) == 4 and row[2].endswith(".") and row[3].endswith(".") for row in lines)


def test_the_web_servers_own_codes_are_names_of_http() -> None:
    paper = section((TOP / "docs/errors.md").read_text("utf-8"), "From the web server itself")
    documented = [(row[0].strip("`"), int(row[1])) for row in rows(paper) if row[0].startswith("`")]
    names = {status: (kind.name if hasattr(kind, "name") else "") for status, kind in default_exceptions.items()}
    named = {(kind().name.lower().replace(" ", "-"), status) for status, kind in default_exceptions.items()}
    assert names
    assert documented
    assert set(documented) <= named


# ---------------------------------------------------------------------- commands


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(LOOKING):
        command = group.get_command(LOOKING, name)
        assert command, name
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*path, name)), command


def test_every_command_stands_in_the_readme_and_no_other() -> None:
    table_of_commands = section(README.read_text("utf-8"), "Commands")
    documented = [row[0].strip("`") for row in rows(table_of_commands) if row[0].startswith("`")]
    assert sorted(documented) == sorted(f"wallet-server {name}" for name, _ in commands())


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = dict(commands())[name]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[0]} has no help"


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_a_paper_shows_exists_with_its_options(name: str) -> None:
    text = (TOP / name).read_text("utf-8")
    fenced = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in (line for part in (*fenced, *spans) for line in part.splitlines()):
        for words in re.findall(r"(?:^|[\s/])wallet-server ((?:[^\s|&;]+ ?)+)", line):
            check_command(words.split())


def check_command(words: list[str]) -> None:
    group: click.Command = main
    taken = 0
    while isinstance(group, click.Group) and taken < len(words) and not words[taken].startswith("-"):
        if words[taken] == "COMMAND":
            return
        found = group.get_command(LOOKING, words[taken])
        assert found, f"there is no command {' '.join(words[: taken + 1])}"
        group = found
        taken += 1
    known = {flag for option in group.params for flag in option.opts} | {"--help", "--version"}
    assert {word for word in words[taken:] if word.startswith("--")} <= known, f"{words}: {sorted(known)}"


# ---------------------------------------------------------------------- the papers themselves


def anchors(paper: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", paper.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_between_the_papers_lead_somewhere(name: str) -> None:
    paper = TOP / name
    text = paper.read_text("utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for target in (target for target in targets if not re.match(r"https?:|mailto:", target)):
        path, _, anchor = target.partition("#")
        meant = paper.parent / path if path else paper
        assert meant.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors(meant), f"{name} links to {target}"


def test_every_paper_in_docs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#\s]+\.md)", README.read_text("utf-8")))
    assert {name for name in NAMES if name.startswith("docs/")} <= linked


@pytest.mark.parametrize("name", NAMES)
def test_no_paper_has_a_place_left_to_fill(name: str) -> None:
    assert not PLACEHOLDER.findall((TOP / name).read_text("utf-8"))


def test_pictures_are_shown_and_fit_into_a_readme() -> None:
    pictures = sorted((TOP / "docs/pictures").glob("*"))
    assert [picture.name for picture in pictures] == [
        "card.png",
        "designer.png",
        "growth.png",
        "join.png",
        "lockscreen.png",
        "sandbox.png",
        "till.png",
        "today.png",
        "wave.png",
    ]
    shown = README.read_text("utf-8") + (TOP / "docs/benchmarks.md").read_text("utf-8")
    for picture in pictures:
        assert picture.stat().st_size < 250_000
        assert f"pictures/{picture.name})" in shown or f'pictures/{picture.name}"' in shown, picture.name
