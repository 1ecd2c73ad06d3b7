"""Reading the one kind of body here that is no JSON: the form of a token request.

Guarantees a bound on its size, and of the fields that RFC 6749 knows each at most once, in printable characters. Other
fields are ignored, and an empty one counts as not sent, as that standard wants. Refuses in its words.
"""

from urllib.parse import parse_qsl

from fastapi import Request

from agentauri.errors import OAuthRefused, UnsupportedMediaType
from agentauri.serve.reading import refuse_compressed

FORM = "application/x-www-form-urlencoded"
MAX_BYTES = 8 * 1024
MAX_FIELDS = 32
FIELDS = frozenset({"grant_type", "scope", "refresh_token", "client_id", "client_secret"})
WRONG_TYPE = f"send the token request as a form with `Content-Type: {FORM}`."


async def read_form(request: Request) -> dict[str, str]:
    """The known fields of a form. Raises OAuthRefused or UnsupportedMediaType."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BYTES:
            raise OAuthRefused("invalid_request", f"the form is larger than {MAX_BYTES} bytes")
    if raw:
        refuse_compressed(request)
    if raw and request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(WRONG_TYPE)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise OAuthRefused("invalid_request", "the body is not a form, or has too many fields") from None
    known = [(name, value) for name, value in pairs if name in FIELDS]
    fields = dict(known)
    if len(fields) < len(known):
        raise OAuthRefused("invalid_request", "a field stands there twice")
    if not all(value.isascii() and value.isprintable() for value in fields.values()):
        raise OAuthRefused("invalid_request", "a field holds characters that are not printable ASCII")
    return {name: value for name, value in fields.items() if value}
