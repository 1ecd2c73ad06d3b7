"""What signing in with a wallet takes and gives."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from agentauri.accounts.siwe import MAX_MESSAGE
from agentauri.accounts.wallets import MAX_SIGNATURE_BYTES
from agentauri.serve.schemas import EXAMPLE_TIME, Body, Schema, Text, given_out

MAX_CHAIN_ID = 2**53 - 1
"""The largest number that every JSON reader keeps exact; wallets written in JavaScript know no larger ones."""
WITH_NONCE = r"^[^\x00]*Nonce: [0-9a-f]{32}\n[^\x00]*$"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NONCE = "9f86d081884c7d659a2feaa0c55ad015"
MESSAGE = f"agentauri.example wants you to sign in with your Ethereum account:\n{ADDRESS}\n\n…\nNonce: {NONCE}\n…"


class NonceBody(Body):
    """Which wallet wants to sign in."""

    address: Text = Field(
        pattern="^0x[0-9a-fA-F]{40}$",
        description="In EIP-55 form, or all in small letters.",
        examples=[ADDRESS],
        json_schema_extra={"not": {"pattern": "^0x0{40}$"}},
    )
    chain_id: int = Field(
        ge=1,
        le=MAX_CHAIN_ID,
        strict=True,
        description="The EIP-155 chain id that the wallet is on; for a contract wallet the chain it is deployed on.",
        examples=[1],
    )


class Nonce(Schema):
    """What to sign."""

    nonce: str = Field(description="Works once.", examples=[NONCE])
    message: str = Field(description="The EIP-4361 text; sign exactly this (`personal_sign`).", examples=[MESSAGE])
    expires_at: datetime = Field(description="Five minutes from now.", examples=[EXAMPLE_TIME])


class NonceAnswer(Schema):
    """What to sign."""

    data: Nonce


class WalletBody(Body):
    """The text that was signed, unchanged, and the signature."""

    message: Annotated[Text, given_out(WITH_NONCE, "send `message` of POST /api/v1/auth/nonce as it came")] = Field(
        max_length=MAX_MESSAGE,
        json_schema_extra={"pattern": WITH_NONCE},
        description="`message` of `POST /auth/nonce`, as it came.",
        examples=[MESSAGE],
    )
    signature: Text = Field(
        min_length=4,
        max_length=2 + 2 * MAX_SIGNATURE_BYTES,
        pattern="^0x([0-9a-fA-F]{2})+$",
        description="By the wallet's key (EIP-191); of a contract wallet what EIP-1271 or EIP-6492 says.",
        examples=["0x" + "5d" * 64 + "1b"],
    )
