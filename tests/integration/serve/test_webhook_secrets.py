"""Webhook secrets over HTTP: shown once, sealed at rest, never another organization's."""

import base64
from datetime import timedelta
from uuid import UUID

from agentauri.channels.signatures import signed_headers, signer, verifies
from agentauri.store import webhook_secrets
from agentauri.store.database import Pool
from agentauri.store.vault import Vault
from tests.integration.serve.conftest import SECRET_KEY, Api, User


async def test_a_secret_is_shown_once(user: User) -> None:
    first = user.registered["webhook_secret"]
    made = (await user.call("POST", "/webhook-secrets")).json()["data"]
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    listed = (await user.call("GET", "/webhook-secrets")).json()
    assert listed["pagination"]["total"] == 2
    assert listed["data"][0] == {key: value for key, value in made.items() if key != "secret"}
    assert made["secret"].rstrip("=").endswith(made["hint"])
    assert first not in str(listed)


async def test_secrets_rest_sealed(user: User, pool: Pool) -> None:
    sealed = await pool.fetchval("SELECT sealed FROM webhook_secrets")
    text = user.registered["webhook_secret"].encode()
    assert text.removeprefix(b"whsec_") not in sealed
    context = webhook_secrets.context_of(UUID(user.organization_id))
    assert Vault(SECRET_KEY).open(sealed, context) == text


async def test_the_last_secret_stays_and_others_go_at_once(user: User) -> None:
    only = (await user.call("GET", "/webhook-secrets")).json()["data"][0]["id"]
    refused = await user.call("DELETE", f"/webhook-secrets/{only}")
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    await user.call("POST", "/webhook-secrets")
    assert (await user.call("DELETE", f"/webhook-secrets/{only}")).status_code == 204
    assert (await user.call("DELETE", f"/webhook-secrets/{only}")).status_code == 404


async def test_the_number_of_live_secrets_is_bounded(user: User) -> None:
    answers = [await user.call("POST", "/webhook-secrets") for _ in range(webhook_secrets.MAX_LIVE)]
    assert [answer.status_code for answer in answers] == [201] * (webhook_secrets.MAX_LIVE - 1) + [403]
    assert answers[-1].json()["error"] == "limit_reached"


async def test_anothers_secret_is_not_found(api: Api, user: User) -> None:
    other = await api.register()
    theirs = (await other.call("POST", "/webhook-secrets")).json()["data"]["id"]
    assert (await user.call("DELETE", f"/webhook-secrets/{theirs}")).status_code == 404
    assert (await user.call("GET", "/webhook-secrets")).json()["pagination"]["total"] == 1


async def test_a_member_sees_them_and_may_not_change_them(user: User, pool: Pool) -> None:
    await pool.execute("UPDATE members SET role = 'member'")
    assert (await user.call("GET", "/webhook-secrets")).status_code == 200
    assert (await user.call("POST", "/webhook-secrets")).status_code == 403


async def test_rotated_secret_signs_beside_the_new_one_for_a_day(user: User, pool: Pool) -> None:
    (old,) = (await user.call("GET", "/webhook-secrets")).json()["data"]
    answer = await user.call("POST", f"/webhook-secrets/{old['id']}/rotate")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()["data"]
    assert made["secret"].startswith("whsec_")
    assert made["expires_at"] is None
    new, replaced = (await user.call("GET", "/webhook-secrets")).json()["data"]
    assert (new["id"], replaced["id"]) == (made["id"], old["id"])
    left = await pool.fetchval("SELECT expires_at - now() FROM webhook_secrets WHERE expires_at IS NOT NULL")
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    assert (
        await pool.fetchval("SELECT action FROM audit_log ORDER BY created_at DESC LIMIT 1") == "webhook_secret.rotated"
    )


async def test_rotated_secret_is_over_in_the_end(user: User, pool: Pool) -> None:
    (old,) = (await user.call("GET", "/webhook-secrets")).json()["data"]
    await user.call("POST", f"/webhook-secrets/{old['id']}/rotate")
    assert (await user.call("POST", f"/webhook-secrets/{old['id']}/rotate")).json()["error"] == "conflict"
    await pool.execute("UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert (await user.call("GET", "/webhook-secrets")).json()["pagination"]["total"] == 1
    assert (await user.call("POST", f"/webhook-secrets/{old['id']}/rotate")).status_code == 404


async def test_new_secret_stays_while_the_old_one_runs_out(user: User) -> None:
    (old,) = (await user.call("GET", "/webhook-secrets")).json()["data"]
    made = (await user.call("POST", f"/webhook-secrets/{old['id']}/rotate")).json()["data"]
    assert (await user.call("DELETE", f"/webhook-secrets/{made['id']}")).status_code == 409
    assert (await user.call("DELETE", f"/webhook-secrets/{old['id']}")).status_code == 204


async def test_rotation_sent_twice_makes_one_secret(user: User) -> None:
    (old,) = (await user.call("GET", "/webhook-secrets")).json()["data"]
    path, headers = f"/webhook-secrets/{old['id']}/rotate", {"Idempotency-Key": "k"}
    first, again = [await user.call("POST", path, headers=headers) for _ in range(2)]
    assert first.json() == again.json()


async def test_anothers_secret_is_not_rotated(api: Api, user: User) -> None:
    (theirs,) = (await (await api.register()).call("GET", "/webhook-secrets")).json()["data"]
    assert (await user.call("POST", f"/webhook-secrets/{theirs['id']}/rotate")).status_code == 404


async def test_of_a_key_pair_the_public_half_alone_is_shown(user: User, pool: Pool) -> None:
    made = (await user.call("POST", "/webhook-secrets", json={"kind": "ed25519"})).json()["data"]
    assert (made["kind"], made["secret"]) == ("ed25519", None)
    listed = (await user.call("GET", "/webhook-secrets")).json()["data"]
    assert listed[0]["public_key"] == made["public_key"]
    sealed = await pool.fetchval("SELECT sealed FROM webhook_secrets WHERE kind = 'ed25519'")
    private = Vault(SECRET_KEY).open(sealed, webhook_secrets.context_of(UUID(user.organization_id))).decode()
    headers = signed_headers("msg_1", 7, b"{}", [signer(private)])
    assert verifies(made["public_key"], "msg_1", "7", b"{}", headers["webhook-signature"])


async def test_rotated_key_pair_is_a_key_pair_again(user: User) -> None:
    made = (await user.call("POST", "/webhook-secrets", json={"kind": "ed25519"})).json()["data"]
    again = (await user.call("POST", f"/webhook-secrets/{made['id']}/rotate")).json()["data"]
    assert (again["kind"], again["secret"]) == ("ed25519", None)
    assert again["public_key"] != made["public_key"]


async def test_unknown_kind_of_secret_is_refused(user: User) -> None:
    answer = await user.call("POST", "/webhook-secrets", json={"kind": "rsa"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/kind")
