"""How operations follow each other, as links of the OpenAPI document: from what makes a thing to what takes it.

A new organization is linked to what makes things in it, too, by the header that names it. An operation on ``/things``
whose answer holds an id is linked to every operation below ``/things/{thing_id}``, as far
as the answer and the request's own path say all that the other path needs. So a program (and the tests that walk the
API by its document) gets from making a thing to reading, changing and deleting it without knowing anything else.
"""

import re
from typing import Any

PARAMETER = re.compile(r"\{([^}]+)\}")
JSON = "application/json"
ORGANIZATIONS = "/organizations"
ORGANIZATION_HEADER = "X-Organization-ID"
ID = "$response.body#/data/id"


def add_links(document: dict[str, Any]) -> None:
    """Link the operations of ``document`` with each other."""
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    _link(document, path, response)
                if status == "201" and path.endswith(ORGANIZATIONS):
                    _link_to_header(document, response)


def _link(document: dict[str, Any], path: str, response: dict[str, Any]) -> None:
    schema = response.get("content", {}).get(JSON, {}).get("schema", {})
    for target_path, item in document["paths"].items():
        parameter = _next_parameter(path, target_path)
        pointer = None if parameter is None else _pointer(document, schema, parameter)
        if parameter is None or pointer is None:
            continue
        known = {name: f"$request.path.{name}" for name in PARAMETER.findall(path)}
        known[parameter] = f"$response.body#{pointer}"
        for target in item.values():
            _add(response, target, known)


def _link_to_header(document: dict[str, Any], response: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for target in item.values():
            names = {one["name"] for one in target.get("parameters", [])}
            if ORGANIZATION_HEADER in names and "201" in target["responses"] and not PARAMETER.search(path):
                _add(response, target, {f"header.{ORGANIZATION_HEADER}": ID})


def _add(response: dict[str, Any], target: dict[str, Any], parameters: dict[str, str]) -> None:
    name = target["operationId"]
    response.setdefault("links", {})[name] = {"operationId": name, "parameters": parameters}


def _next_parameter(path: str, target: str) -> str | None:
    """The parameter right below ``path`` in ``target``; None where ``target`` lies elsewhere or needs another one."""
    if not target.startswith(f"{path}/{{"):
        return None
    names: list[str] = PARAMETER.findall(target.removeprefix(path))
    return names[0] if len(names) == 1 else None


def _pointer(document: dict[str, Any], schema: dict[str, Any], parameter: str) -> str | None:
    """Where in an answer the value of ``parameter`` stands. Lists are left out: one may be empty."""
    data = _property(document, _resolve(document, schema), "data")
    found = next((name for name in (parameter, "id") if name in data.get("properties", {})), None)
    return None if found is None else f"/data/{found}"


def _property(document: dict[str, Any], schema: dict[str, Any], name: str) -> dict[str, Any]:
    return _resolve(document, schema.get("properties", {}).get(name, {}))


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
