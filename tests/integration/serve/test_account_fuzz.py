"""Whatever stands in a body about an account: an answer by the rules, never an error of ours, and nothing changed."""

import json
import random
from typing import Any

from tests.integration.serve.conftest import PASSWORD, Api, User

ROUNDS = 250
WEIRD: list[Any] = [
    None, True, 0, -1, 1.5, 2**70, 1e308, "", " ", "\t", "null", "\0", "a\0b", "\ud800", "\udfff@example.com",
    "\U0001f680", "\u202e", "\ufeff", "İ", "ﬁ", "x" * 5000, "a@example.com\r\nBcc: eve@example.com",
    "'; DROP TABLE x; --",
    "ü@exämple.com", "a@[127.0.0.1]", "a@example", '"a b"@example.com', "٣", "%", "$1", "{}", [], [None], {}, {"": {}},
]  # fmt: skip
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/auth/register"): {"email": "x@example.com", "password": PASSWORD, "username": "x", "name": "x"},
    ("POST", "/auth/login"): {"email": "x@example.com", "password": "x", "cookie": True},
    ("POST", "/auth/refresh"): {"refresh_token": "aurr_x", "cookie": True},
    ("PATCH", "/auth/me"): {"name": "x", "username": "xyz", "email": "y@example.com", "current_password": "x"},
    ("DELETE", "/auth/me"): {"password": "x"},
    ("POST", "/auth/password"): {"current_password": "x", "new_password": PASSWORD + "-new"},
    ("POST", "/auth/password/forgot"): {"email": "x@example.com"},
    ("POST", "/auth/password/reset"): {"token": "aurm_x", "password": PASSWORD + "-new"},
    ("POST", "/auth/email/verify"): {"token": "aurm_x"},
}
ALLOWED = {200, 201, 202, 400, 401, 403, 409, 429}


async def test_no_body_about_an_account_breaks_anything(api: Api, user: User) -> None:
    chance = random.Random(8004)
    headers = {"Content-Type": "application/json"}
    seen = set()
    for _ in range(ROUNDS):
        (method, path), body = chance.choice(list(BODIES.items()))
        name = chance.choice([*body, "extra"])
        changed = json.dumps({**body, name: chance.choice(WEIRD)})
        answer = await user.call(method, path, content=changed, headers=headers)
        assert answer.status_code in ALLOWED, (answer.text, method, path, changed)
        seen.add(answer.status_code)
    assert {400, 401} <= seen
    assert (await user.call("GET", "/auth/me")).json()["data"]["email"] == user.email
    await api.app.state.context.mailer.flush()


async def test_a_name_of_any_letters_comes_back_as_it_was(user: User) -> None:
    for name in ("\u202eada", "\U0001f680", "Ада́", "ab\r\nc", "'; --", "\x7f"):
        answer = await user.call("PATCH", "/auth/me", json={"name": name})
        assert (answer.status_code, answer.json()["data"]["name"]) == (200, name.strip())
