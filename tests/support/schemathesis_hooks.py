"""What schemathesis needs to know of this API: a fresh token for each request, of one account that is always there."""

import os
from typing import Any

import httpx2
import schemathesis

BASE = os.environ["AGENTAURI_FUZZED_API"]
ACCOUNT = {"email": "fuzz@example.com", "password": "correct-horse-battery-staple"}


@schemathesis.auth(refresh_interval=None)
class Login:
    """Logs in before each request: some of them end sessions, or the account itself."""

    def get(self, case: Any, context: Any) -> str:
        with httpx2.Client(base_url=f"{BASE}/api/v1/auth", timeout=30) as client:
            answer = client.post("/login", json=ACCOUNT)
            if answer.status_code == 401:
                answer = client.post("/register", json=ACCOUNT)
            answer.raise_for_status()
            return str(answer.json()["data"]["token"])

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
