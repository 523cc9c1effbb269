"""Owns the route under which the form of a programme document is published, for editors and whoever writes one."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response

from wallet_server.rules.programme.program import document_schema

programme_schema = Blueprint("programme-schema", __name__)


@programme_schema.get("/openapi/programme.json")
def schema() -> Response:
    """JSON Schema; what the parts of a document demand of each other is checked when it is published."""
    return Response(orjson.dumps(document_schema()), mimetype="application/schema+json")
