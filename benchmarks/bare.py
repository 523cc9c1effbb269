"""Owns the server that ours is compared with: a Flask application with one route, under Granian as ours is.

python -m benchmarks.bare 8081 --threads 8
"""

from __future__ import annotations

import argparse

from flask import Flask, Response
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

ROUTE = "/hello"


def application() -> Flask:
    """What Granian calls in its server process."""
    app = Flask(__name__)

    @app.get(ROUTE)
    def hello() -> Response:
        return Response("ok", mimetype="text/plain")

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare Flask route under Granian.")
    parser.add_argument("port", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    Server(
        "benchmarks.bare:application",
        address="127.0.0.1",
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=options.threads,
        factory=True,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
