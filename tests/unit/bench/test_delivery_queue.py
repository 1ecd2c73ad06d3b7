"""What ``bench delivery`` checks of the requests that arrived: a bench that cannot fail measures nothing."""

import pytest

from agentauri.bench.delivery_queue import Hooks, verify
from agentauri.bench.path import Wrong
from agentauri.channels.signatures import hmac_signer, signed_headers

SECRET = "whsec_" + "A" * 43 + "="


def sample(body: str, signed_body: str) -> str:
    headers = signed_headers("some-id", 1_790_000_000, signed_body.encode(), [hmac_signer(SECRET)])
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /hook HTTP/1.1\r\n{lines}\r\n{body}"


def test_right_signatures_pass() -> None:
    verify([sample("{}", "{}")], Hooks(secrets=[SECRET]))


def test_signature_of_another_body_fails_the_bench() -> None:
    with pytest.raises(Wrong):
        verify([sample("{}", "[]")], Hooks(secrets=[SECRET]))


def test_bench_without_a_sample_fails() -> None:
    with pytest.raises(Wrong):
        verify([], Hooks(secrets=[SECRET]))
