"""What holds for all input, said in every schema of it: no text with U+0000, in bodies and in parameters.

``reading`` and ``frame`` refuse such text wherever it stands, so the document says it wherever text may stand that no
pattern, format or list of values describes already.
"""

from typing import Any

STORABLE = r"^[^\u0000]*$"
TELLING = ("pattern", "enum", "const", "format")
PARTS = ("anyOf", "oneOf", "allOf", "prefixItems")
INNER = ("items", "additionalProperties", "not")


def tell_body_is_no_null(operation: dict[str, Any]) -> None:
    """A body that may be left out is not null where it is there."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        kinds = content["schema"].get("anyOf", [])
        if {"type": "null"} in kinds:
            content["schema"] = next(one for one in kinds if one != {"type": "null"})


def tell_limits_of_text(document: dict[str, Any], operation: dict[str, Any]) -> None:
    """Say in the schemas of what ``operation`` takes that text is without U+0000."""
    for parameter in operation.get("parameters", []):
        _tell(document, parameter["schema"], set())
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _tell(document, content["schema"], set())


def _tell(document: dict[str, Any], schema: Any, seen: set[str]) -> None:
    if not isinstance(schema, dict):
        return
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    if name and name not in seen:
        seen.add(name)
        _tell(document, document["components"]["schemas"][name], seen)
    kinds = schema.get("type", ())
    if "string" in ([kinds] if isinstance(kinds, str) else kinds) and not any(one in schema for one in TELLING):
        schema["pattern"] = STORABLE
    if schema.get("additionalProperties"):
        schema.setdefault("propertyNames", {"pattern": STORABLE})
    inner = [schema[key] for key in INNER if key in schema]
    inner += [one for key in PARTS for one in schema.get(key, ())]
    inner += schema.get("properties", {}).values()
    for one in inner:
        _tell(document, one, seen)
