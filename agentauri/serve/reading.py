"""Reading request bodies strictly, before any schema looks at them.

Guarantees JSON under a JSON content type, exact integers of any size, bounded depth and bulk, no name twice in an
object, and text that PostgreSQL can hold: no U+0000, no lone surrogates. Everything else about a body is its schema's
business.
"""

import json
from collections.abc import Callable, Coroutine
from math import isinf
from typing import Any, NoReturn

from fastapi import Request
from fastapi.responses import Response

from agentauri.errors import InvalidRequest, UnsupportedMediaType
from agentauri.models.depth import has_more, is_deeper
from agentauri.models.problems import step
from agentauri.serve import routing

MAX_DEPTH = 32
MAX_CONTAINERS = 10_000
"""Lists and objects in a body; the largest trigger has some hundreds."""
BAD_TEXT = "holds U+0000 or half a surrogate pair, which cannot be stored; remove it."
NO_OBJECT = "the body must be a JSON object."
WRONG_TYPE = "send the body as JSON with `Content-Type: application/json`."
COMPRESSED = "send the body as it is: compressed ones are not taken, so leave out `Content-Encoding`."
AS_IT_IS = ("", "identity")


def parse_body(raw: bytes) -> Any:
    """The JSON value of a body. Raises InvalidRequest that says where it is wrong."""
    if is_deeper(raw, MAX_DEPTH):
        _refuse(f"the body is nested deeper than {MAX_DEPTH} levels.")
    if has_more(raw, MAX_CONTAINERS):
        _refuse(f"the body holds more than {MAX_CONTAINERS} lists and objects.")
    try:
        value = json.loads(
            raw.decode(), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        _refuse(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.")
    except UnicodeDecodeError:
        _refuse("the body is not UTF-8 text.")
    except ValueError:
        _refuse("the body holds a number that JSON does not allow.")
    if b"\\u" in raw:
        _check(value, "")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ over which of two values with one name holds, so there is no telling what was meant."""
    made = dict(pairs)
    if len(made) < len(pairs):
        _refuse("the body has an object with the same name twice.")
    return made


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number


def _refuse(detail: str, pointer: str = "") -> NoReturn:
    raise InvalidRequest(f"{pointer} {detail}" if pointer else detail, [(pointer, detail)])


def _check(value: Any, pointer: str) -> None:
    match value:
        case str():
            if not is_storable(value):
                _refuse(BAD_TEXT, pointer)
        case dict():
            for key, inner in value.items():
                if not is_storable(key):
                    _refuse(f"a name in it {BAD_TEXT}", pointer)
                _check(inner, step(pointer, key))
        case list():
            for index, inner in enumerate(value):
                _check(inner, step(pointer, index))


def refuse_compressed(request: Request) -> None:
    """Raises UnsupportedMediaType for a body that would have to be unpacked, which could blow a small one up."""
    if request.headers.get("content-encoding", "").strip().lower() not in AS_IT_IS:
        raise UnsupportedMediaType(COMPRESSED)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes the text as it is (protocol P4)."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


class StrictRequest(Request):
    """A request whose body is read by the rules of this module."""

    async def body(self) -> bytes:
        """The body. Raises UnsupportedMediaType unless it is said to be JSON, and not compressed."""
        raw = await super().body()
        if raw:
            refuse_compressed(self)
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if raw and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(WRONG_TYPE)
        return raw

    async def json(self) -> Any:
        """The body's JSON value. Raises InvalidRequest for null, which is no way to leave out a body."""
        value = parse_body(await self.body())
        if value is None:
            _refuse(NO_OBJECT)
        return value


class Route(routing.Route):
    """A route that reads its body strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a StrictRequest."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
