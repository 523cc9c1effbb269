"""Owns a browser without scripts, as the stories use one where a page is all that they need."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "correct horse 77"
TOKEN = re.compile(r"name=csrf value='([^']+)'")


class Visitor:
    """A browser without scripts."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())).open

    def get(self, path: str) -> str:
        with self._open(self._base + path, timeout=30) as got:
            return str(got.read().decode())

    def send(self, path: str, to: str = "", **form: str) -> str:
        """Fill the form on this page and send it, to another address where one is named."""
        token = TOKEN.search(self.get(path))
        assert token
        body = urllib.parse.urlencode({"csrf": token.group(1), **form}).encode()
        with self._open(self._base + (to or path), body, timeout=30) as got:
            return str(got.read().decode())

    def status(self, path: str) -> int:
        """How this page is answered."""
        try:
            with self._open(self._base + path, timeout=30) as got:
                return int(got.status)
        except urllib.error.HTTPError as refused:
            return refused.code
