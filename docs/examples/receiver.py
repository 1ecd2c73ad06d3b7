"""A receiver of AgentAuri's webhooks: verifies, answers at once, recognises repeats.

    WEBHOOK_SECRET=whsec_… python receiver.py 9900

Python's standard library is enough; keys that begin with whpk_ need `pip install cryptography`.
"""

import base64
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECONDS = 300


def is_genuine(secret: str, headers, body: bytes) -> bool:
    """Whether one of the signatures is ours, over exactly these bytes, and not older than five minutes."""
    id_ = headers.get("webhook-id") or ""
    stamp = headers.get("webhook-timestamp") or ""
    if not id_ or not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{id_}.{stamp}.".encode() + body
    given = (headers.get("webhook-signature") or "").split(" ")
    kind, _, text = secret.partition("_")
    key = base64.b64decode(text)
    if kind == "whsec":
        wanted = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)
    return any(_fits(key, signed, one) for one in given)


def _fits(public_key: bytes, signed: bytes, signature: str) -> bool:
    """Ed25519, for a public key (whpk_…)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    version, _, text = signature.partition(",")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(text), signed)
    except (InvalidSignature, ValueError):
        return False
    return version == "v1a"


class Receiver(BaseHTTPRequestHandler):
    seen: set[str] = set()  # in a real receiver: a unique column in your database

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_genuine(os.environ["WEBHOOK_SECRET"], self.headers, body):
            self.send_response(401)
        else:
            self.send_response(204)  # whatever takes long comes after the answer
            if self.headers["webhook-id"] not in self.seen:
                self.seen.add(self.headers["webhook-id"])
                print(json.loads(body)["type"], flush=True)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
