"""Where a login may end: front ends that are known, paths of this server, and nothing that only looks like them."""

import pytest

from agentauri.accounts.redirects import MAX_LENGTH, parse_redirect, with_answer

PUBLIC = "https://api.example.com"
ORIGINS = ("https://app.example.com", "http://localhost:3000", "https://ported.example:8443", "*")

GOOD = {
    "https://app.example.com/signed-in?next=%2Fhome": "https://app.example.com/signed-in?next=%2Fhome",
    "https://app.example.com": "https://app.example.com",
    "https://app.example.com#/signed-in": "https://app.example.com#/signed-in",
    "HTTPS://APP.example.com:443/x": "HTTPS://APP.example.com:443/x",
    "http://localhost:3000/x": "http://localhost:3000/x",
    "https://ported.example:8443/": "https://ported.example:8443/",
    "https://api.example.com/docs": "https://api.example.com/docs",
    "/docs": "https://api.example.com/docs",
    "/": "https://api.example.com/",
    "/%2f%2fevil.example": "https://api.example.com/%2f%2fevil.example",
    "/.//evil.example": "https://api.example.com/.//evil.example",
    "/%5cevil.example": "https://api.example.com/%5cevil.example",
}


@pytest.mark.parametrize(("raw", "absolute"), GOOD.items())
def test_known_places_are_allowed_and_made_absolute(raw: str, absolute: str) -> None:
    assert parse_redirect(raw, origins=ORIGINS, public_url=PUBLIC) == absolute


BAD = [
    "", "docs", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
    "\\evil", "https:evil.example", "https:/evil.example", "https:///evil.example", "https://evil.example",
    "https://app.example.com@evil.example", "https://app.example.com:pw@evil.example/", "https://user@app.example.com",
    "https://app.example.com%40evil.example", "https://app.example.com%2eevil.example", "https://app.example.com.",
    "https://app.example.com.evil.example", "https://app.example.com\\.evil.example", "https://app.example.com\\@x",
    "https://app.example.com;evil.example", "https://xapp.example.com", "http://app.example.com",
    "https://app.example.com:444", "https://app.example.com:", "https://app.example.com:99999999",
    "https://localhost:3000", "http://localhost", "http://localhost:3000.evil.example", "ftp://app.example.com",
    "javascript:alert(1)", "javascript://app.example.com/%0aalert(1)", "data:text/html,x", "vbscript:x",
    "%2f%2fevil.example", "https%3a%2f%2fevil.example", " https://app.example.com", "https://app.example.com/\r\nx: y",
    "/\tx", "/\x00", "/\u2028", "https://\u0430pp.example.com", "https://app\u3002example.com", "/x y",
    "https://app.example.com/<script>", 'https://app.example.com/"', "*", "https://*", "null", "?code=1", "#x",
    "https://[::1]/", "https://[app.example.com]/",
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD)
def test_what_leads_elsewhere_or_might_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="must be a path"):
        parse_redirect(raw, origins=ORIGINS, public_url=PUBLIC)


@pytest.mark.parametrize("query", ["code=aurc_x", "a=b&error=x", "co%64e=x", "message=", "linked=google"])
def test_an_address_that_brings_an_answer_of_its_own_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="query"):
        parse_redirect(f"/?{query}", origins=ORIGINS, public_url=PUBLIC)


def test_an_address_is_bounded() -> None:
    with pytest.raises(ValueError, match="characters"):
        parse_redirect("/" + "x" * MAX_LENGTH, origins=ORIGINS, public_url=PUBLIC)


def test_the_answer_joins_the_query_and_leaves_the_fragment_last() -> None:
    assert with_answer("https://a.example/x?y=1#/z", {"code": "a&b"}) == "https://a.example/x?y=1&code=a%26b#/z"
    assert with_answer("https://a.example", {"code": "a"}) == "https://a.example?code=a"
