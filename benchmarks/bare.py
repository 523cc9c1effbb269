"""Owns the server that ours is compared with: a Flask application under Granian as ours is, with a route that says ok
and, where a database is named, one that counts a sale of the fixed reference.

python -m benchmarks.bare 8081 --threads 8
"""

from __future__ import annotations

import argparse
import os
import threading

import psycopg
from flask import Flask, Response, jsonify, request
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from benchmarks.reference import reference_sale

ROUTE, SALE = "/hello", "/sale"
DATABASE = "REFERENCE_DATABASE"
"""The variable that names the PostgreSQL on which the reference has its tables."""


def application() -> Flask:
    """What Granian calls in its server process."""
    app = Flask(__name__)

    @app.get(ROUTE)
    def hello() -> Response:
        return Response("ok", mimetype="text/plain")

    own = threading.local()

    @app.post(SALE)
    def sale() -> Response:
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(os.environ[DATABASE])
        body = request.get_json()
        reference_sale(own.connection, body["code"], body["receipt"])
        return jsonify({"receipt": body["receipt"]})

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
