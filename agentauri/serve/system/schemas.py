"""What the health routes answer: plain objects, because monitors read them."""

from typing import Literal

from pydantic import Field

from agentauri.serve.schemas import Schema

Link = Literal["connected", "disconnected"]


class Health(Schema):
    """Every part the service stands on."""

    status: Literal["healthy", "unhealthy"]
    database: Link
    redis: Link
    cluster: Link
    version: str = Field(examples=["0.1.0"])


class Alive(Schema):
    """The process answers."""

    status: Literal["alive"]


class Ready(Schema):
    """The process can serve requests."""

    status: Literal["ready", "not_ready"]
