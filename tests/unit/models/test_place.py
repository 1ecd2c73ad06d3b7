"""One spelling for each server, and a sentence for each URL that names none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.models.place import Place, canonical_host, parse_place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://Example.COM/x", Place("https", "example.com", 443)),
        ("http://example.com.:8080", Place("http", "example.com", 8080)),
        ("https://bücher.example", Place("https", "xn--bcher-kva.example", 443)),
        ("http://[2001:DB8::0:1]:8080/", Place("http", "2001:db8::1", 8080)),
        ("http://192.0.2.1/", Place("http", "192.0.2.1", 80)),
        ("http://my_host.internal:3000", Place("http", "my_host.internal", 3000)),
    ],
)
def test_p22_spellings_are_one(url: str, place: Place) -> None:
    assert parse_place(url) == place
    assert parse_place(str(place)) == place


@pytest.mark.parametrize(
    "host", ["", "a..b", "-a.com", "a b", "1.2.3", "1.2.3.4.5", "0x1", "[::1", "a" * 64, "x." * 130]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        canonical_host(host)


@given(st.text(max_size=80))
def test_any_text_is_a_place_or_refused_with_a_sentence(rest: str) -> None:
    try:
        place = parse_place("https://" + rest)
    except ValueError:
        return
    assert parse_place(str(place)) == place
