"""E-mail addresses and user names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts.emails import parse_email, parse_username


@pytest.mark.parametrize("text", ["a@example.com", " Ada@Example.com ", "a+b@sub.example.test", "ü@exämple.de"])
def test_addresses_of_any_domain_pass(text: str) -> None:
    assert "@" in parse_email(text)


@pytest.mark.parametrize("text", ["", "a", "a@", "@b.c", "a b@c.de", "a@b@c.de", "a\n@c.de", "<a@c.de>", "a@-c.de"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no e-mail address"):
        parse_email(text)


@pytest.mark.parametrize("text", ["ab", "-ab", "a b c", "a@b", "x" * 33, "äöü", "a\0b"])
def test_what_is_no_user_name_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match="3 to 32"):
        parse_username(text)


@given(text=st.text(max_size=60))
def test_a_parsed_value_parses_to_itself(text: str) -> None:
    for parse in (parse_email, parse_username):
        try:
            parsed = parse(text)
        except ValueError:
            continue
        assert parse(parsed) == parsed
