"""Owns what the operations of the interface are called in its document: `counter.sell`, as a client writes it."""

from __future__ import annotations

import re

from flask_openapi3 import OpenAPI

METHODS = ("get", "put", "post", "patch", "delete")


def name_operations(app: OpenAPI) -> None:
    """Give every documented operation the name of its route: the blueprint's, a point, the function's."""
    for rule in app.url_map.iter_rules():
        item = app.paths.get(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for method in METHODS:
            operation = getattr(item, method, None)
            if operation is not None and method.upper() in (rule.methods or ()):
                operation.operationId = rule.endpoint
