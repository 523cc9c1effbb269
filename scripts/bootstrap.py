"""Owns the way from a bare Python to a filled .venv: the environment, pip, the locked packages, the product itself.

    python3 scripts/bootstrap.py run|test|replay

Standard library alone, because nothing else is there yet. Where Python comes without ensurepip (a bare Debian), the
environment is made without pip, and pip is fetched from the package index and checked against the lock's hash.
Nothing is done again until the lock, pyproject.toml or this file changes.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import fcntl
import hashlib
import html.parser
import importlib.util
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SETS = ("run", "test", "replay")
OLDEST_PYTHON = (3, 11)

DEFAULT_INDEX = "https://pypi.org/simple/"
"""The standard index, used only when neither the environment nor a pip configuration file names another one.
The only place of this repository that names an index."""

MAX_PAGE_BYTES = 8 * 1024 * 1024
MAX_WHEEL_BYTES = 16 * 1024 * 1024
JSON_PAGE = "application/vnd.pypi.simple.v1+json"


class Trouble(Exception):
    """Setting up cannot go on; the text says what a person can do about it."""


def main() -> int:
    """Fill the environment for one set of packages; 0 when it stands, 1 with a sentence when it does not."""
    parser = argparse.ArgumentParser(description="Set up the environment of this checkout.")
    parser.add_argument("packages", choices=SETS, help="which set of locked packages to install")
    parser.add_argument("--venv", type=Path, default=TOP / ".venv", help="where the environment goes")
    wanted = parser.parse_args()
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Trouble(
                f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed, this is {sys.version.split()[0]}. "
                "Install one and name it: make PYTHON=python3.12"
            )
        with (TOP / "pyproject.toml").open() as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two makes side by side take turns
            fill(wanted.venv.absolute(), wanted.packages)
    except Trouble as trouble:
        print(f"setup: {trouble}", file=sys.stderr)
        return 1
    return 0


def fill(home: Path, packages: str) -> None:
    """Bring the environment at `home` to the state the lock describes, or leave it alone when it is there already."""
    lock = TOP / "requirements" / f"{packages}.lock"
    # Packages of which the tests read data and run nothing: they come alone, without what their code would need.
    data = [TOP / "requirements" / "data.lock"] if packages == "test" else []
    python = home / "bin" / "python"
    quiet = ["-qq", "--disable-pip-version-check", "--no-input"]
    locked, itself = home / f".{packages}.stamp", home / ".product.stamp"
    if not stands(locked, lock, *data, Path(__file__)) or not python.exists():
        count = sum("==" in line for file in (lock, *data) for line in file.read_text().splitlines())
        print(f"setup: installing {count} packages into {home.name}, which takes a minute or a few", flush=True)
        make_environment(home, lock)
        # Wheels only: a bare machine has no compiler, and a source build would run unpinned code. Not compiled: half
        # of the time would go into modules that nobody imports.
        wheels = ["--require-hashes", "--only-binary", ":all:", "--no-compile"]
        run(python, "-m", "pip", "install", *quiet, *wheels, "-r", lock)
        for more in data:
            run(python, "-m", "pip", "install", *quiet, *wheels, "--no-deps", "-r", more)
        locked.write_text(fingerprint(lock, *data, Path(__file__)))
    if not stands(itself, TOP / "pyproject.toml"):
        run(python, "-m", "pip", "install", *quiet, "--no-index", "--no-deps", "--no-build-isolation", "-e", TOP)
        itself.write_text(fingerprint(TOP / "pyproject.toml"))


def stands(stamp: Path, *causes: Path) -> bool:
    """Whether what the stamp stands for was installed from these very files."""
    return stamp.is_file() and stamp.read_text() == fingerprint(*causes)


def fingerprint(*causes: Path) -> str:
    """Changes with the files, with the Python in use and with the place of the checkout."""
    digest = hashlib.sha256(f"{sys.version}{TOP}".encode())
    for file in causes:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def make_environment(home: Path, lock: Path) -> None:
    """Make the environment, with a pip that works, unless it is there."""
    python = home / "bin" / "python"
    if python.exists() and works(python, "-m", "pip", "--version"):
        return
    if importlib.util.find_spec("ensurepip") is not None:
        try:
            venv.create(home, clear=True, symlinks=True, with_pip=True)
            return
        except subprocess.CalledProcessError:
            pass  # some systems ship ensurepip without the wheels it needs
    print("setup: this Python cannot install pip by itself; fetching it from the package index", flush=True)
    venv.create(home, clear=True, symlinks=True, with_pip=False)
    with tempfile.TemporaryDirectory() as folder:
        wheel = fetch_pip(lock, Path(folder))
        run(python, wheel / "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir", wheel)


def works(*command: object) -> bool:
    """Whether the command ends well; it is silent either way."""
    return subprocess.run([str(part) for part in command], capture_output=True, timeout=60).returncode == 0


def run(*command: object) -> None:
    """Run a command, its output shown; raises Trouble when it fails."""
    if subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL).returncode:
        raise Trouble("the step above failed. Is the network there? Then run make again; it goes on from here.")


# ---------------------------------------------------------------------- pip without pip


@dataclass(frozen=True)
class Offer:
    """One file an index offers."""

    name: str
    address: str
    sha256: str


def fetch_pip(lock: Path, folder: Path) -> Path:
    """Download the pip that the lock pins into `folder`. Its bytes must have a hash that the lock lists."""
    version, hashes = pinned("pip", lock.read_text())
    settings = pip_settings()
    faults = []
    for index in indexes(settings):
        try:
            for offer in read_index(index, settings):
                if offer.name == f"pip-{version}-py3-none-any.whl" and offer.sha256 in hashes:
                    content = download(offer.address, settings, MAX_WHEEL_BYTES)[0]
                    if hashlib.sha256(content).hexdigest() != offer.sha256:
                        raise Trouble(f"{offer.name} was changed on its way here; it is not used.")
                    wheel = folder / offer.name
                    wheel.write_bytes(content)
                    return wheel
            faults.append(f"{without_login(index)} does not offer pip {version}")
        except (OSError, ValueError) as fault:
            faults.append(f"{without_login(index)}: {fault}")
    raise Trouble(
        f"pip could not be fetched ({'; '.join(faults)}). Give this machine a way to a package index "
        "(PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY), or install your system's venv package "
        "(Debian: apt install python3-venv)."
    )


def pinned(package: str, lock: str) -> tuple[str, frozenset[str]]:
    """The version and the SHA-256 hashes that a lock pins for a package."""
    found = re.search(rf"^{re.escape(package)}==(\S+)((?:.*\\\n)+.*)", lock, re.MULTILINE)
    if not found:
        raise Trouble(f"the lock does not pin {package}; renew it with: make lock")
    return found[1], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", found[2]))


def pip_settings() -> dict[str, str]:
    """What pip itself would obey: configuration files from the widest to the narrowest, then PIP_* variables."""
    settings: dict[str, str] = {}
    for file in pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except configparser.Error as fault:
            raise Trouble(f"pip's configuration cannot be read: {fault}") from fault
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for variable, value in os.environ.items():
        if variable.startswith("PIP_") and value:
            settings[variable.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def pip_files() -> list[Path]:
    """pip's configuration files on Linux, later ones win (pip's documentation, 'Configuration Files')."""
    chosen = os.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path.home()
    wide = [Path(folder) / "pip" / "pip.conf" for folder in reversed(dirs("XDG_CONFIG_DIRS", "/etc/xdg"))]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    files = [*wide, Path("/etc/pip.conf"), home / ".pip" / "pip.conf", own]
    return [*files, Path(chosen)] if chosen else files


def dirs(variable: str, otherwise: str) -> list[str]:
    """The folders of a colon-separated variable."""
    return [folder for folder in (os.environ.get(variable) or otherwise).split(":") if folder]


def indexes(settings: dict[str, str]) -> list[str]:
    """The indexes to ask, in order."""
    return [settings.get("index-url", DEFAULT_INDEX).strip(), *settings.get("extra-index-url", "").split()]


def read_index(index: str, settings: dict[str, str]) -> list[Offer]:
    """Every file of pip that an index offers (Simple repository API, as JSON or as HTML)."""
    page = f"{index.rstrip('/')}/pip/"
    if page.startswith("file:"):
        page += "index.html"
    content, kind = download(page, settings, MAX_PAGE_BYTES)
    if kind == JSON_PAGE:
        files = json.loads(content)["files"]
        found = [(file["filename"], file["url"], file["hashes"].get("sha256", "")) for file in files]
    else:
        links = Links()
        links.feed(content.decode("utf-8", "replace"))
        found = links.found
    return [Offer(name, join(page, address), sha256) for name, address, sha256 in found]


class Links(html.parser.HTMLParser):
    """The files of an index page in HTML: the name is the link's text, the hash its fragment."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep each link that carries a SHA-256."""
        address, _, fragment = (dict(attrs).get("href") or "").partition("#")
        if tag == "a" and fragment.startswith("sha256="):
            name = urllib.parse.unquote(address.rpartition("/")[2])
            self.found.append((name, address, fragment.removeprefix("sha256=")))


def join(page: str, address: str) -> str:
    """An absolute address for a link on a page; the page's login goes along while the host stays the same."""
    whole = urllib.parse.urljoin(page, address)
    here, there = urllib.parse.urlsplit(page), urllib.parse.urlsplit(whole)
    if here.hostname == there.hostname and here.port == there.port and "@" not in there.netloc:
        return there._replace(netloc=here.netloc).geturl()
    return whole


def download(address: str, settings: dict[str, str], limit: int) -> tuple[bytes, str]:
    """The bytes and the media type behind an address; raises OSError, or ValueError beyond `limit` bytes."""
    request = urllib.request.Request(without_login(address), headers={"Accept": f"{JSON_PAGE}, text/html;q=0.5"})
    parts = urllib.parse.urlsplit(address)
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        # Unredirected: a login for the index is not for whoever the index points at.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    trust = ssl.create_default_context(cafile=settings.get("cert"))
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=trust)]
    if proxy := settings.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    opener = urllib.request.build_opener(*handlers)
    with opener.open(request, timeout=float(settings.get("default-timeout", settings.get("timeout", "60")))) as answer:
        content = answer.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"the answer is longer than {limit} bytes")
        return content, answer.headers.get_content_type()


def without_login(address: str) -> str:
    """The address without user and password, fit to be shown and to be asked."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


if __name__ == "__main__":
    raise SystemExit(main())
