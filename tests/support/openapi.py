"""Holds answers against the OpenAPI document: a transport that lets no answer pass which the document does not know."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx2
import jsonschema  # type: ignore[import-untyped]  # comes with ray, without types
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Document = dict[str, Any]
ROOT = "urn:document"
PARAMETER = re.compile(r"\\\{[^}]+\\\}")
BODILESS = 204
STREAM = "text/event-stream"
OWN = ("/api/", "/.well-known/")


class Contract:
    """An OpenAPI document, ready to be asked."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        self._registry: Registry[Any] = Registry().with_resource(
            ROOT, Resource.from_contents(document, default_specification=DRAFT202012)
        )
        self._validator = cache(self._make_validator)
        self._paths = [
            (re.compile(PARAMETER.sub("[^/]+", re.escape(template))), template) for template in document["paths"]
        ]
        self._paths.sort(key=lambda one: one[1].count("{"))

    def operations(self) -> Iterator[tuple[str, str, Document]]:
        """Every path with a method and its operation."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield path, method, operation

    def check_value(self, schema: Document, value: Any) -> None:
        """Raise unless ``value`` fits a schema of the document."""
        jsonschema.Draft202012Validator(
            _rooted(schema), registry=self._registry, format_checker=self._formats
        ).validate(value)

    def check_answer(self, answer: httpx2.Response) -> None:
        """Raise unless the document knows this answer: its status, its media type, its shape, its headers."""
        found = self._find(answer.request)
        if found is None:
            return
        template, operation = found
        name = f"{answer.request.method} {template} -> {answer.status_code}"
        assert str(answer.status_code) in operation["responses"], f"{name} is not documented: {answer.text[:300]}"
        described = operation["responses"][str(answer.status_code)]
        for header, named in described.get("headers", {}).items():
            self._check_header(name, header, named, answer)
        content = described.get("content")
        if content is None:
            assert answer.status_code == BODILESS or answer.is_redirect, f"{name} has no documented content"
            assert answer.content == b""
            return
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in content, f"{name} is {kind}, documented are {list(content)}"
        if kind.endswith("json"):
            place = (template, answer.request.method.lower(), str(answer.status_code), kind)
            self._validator(*place).validate(answer.json())

    def _check_header(self, name: str, header: str, named: Document, answer: httpx2.Response) -> None:
        component = named.get("$ref", "").removeprefix("#/components/headers/")
        described = self.document["components"]["headers"][component] if component else named
        text = answer.headers.get(header)
        if text is None:
            assert not described.get("required"), f"{name}: no {header}"
            return
        schema = described["schema"]
        self.check_value(schema, int(text) if schema["type"] == "integer" else text)

    def _make_validator(self, template: str, method: str, status: str, kind: str) -> Any:
        schema = self.document["paths"][template][method]["responses"][status]["content"][kind]["schema"]
        return jsonschema.Draft202012Validator(_rooted(schema), registry=self._registry, format_checker=self._formats)

    def _find(self, request: httpx2.Request) -> tuple[str, Document] | None:
        path, method = request.url.path, request.method.lower()
        if not path.startswith(OWN):
            return None
        template = next((template for form, template in self._paths if form.fullmatch(path)), None)
        operation = None if template is None else self.document["paths"][template].get(method)
        return None if template is None or operation is None else (template, operation)


def _rooted(schema: Any) -> Any:
    """The schema with its references pointing into the registered document."""
    if isinstance(schema, list):
        return [_rooted(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: ROOT + value if key == "$ref" and isinstance(value, str) else _rooted(value)
        for key, value in schema.items()
    }


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Passes requests on to ``inner`` and holds each answer against ``contract``; streams pass unread."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, contract: Contract) -> None:
        self._inner, self._contract = inner, contract

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inner.handle_async_request(request)
        if not answer.headers.get("content-type", "").startswith(STREAM):
            answer.request = request
            await answer.aread()
            self._contract.check_answer(answer)
        return answer
