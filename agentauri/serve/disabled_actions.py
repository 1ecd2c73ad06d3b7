"""Tells an organization's admins by mail that one of its actions was disabled, and why; once an hour an action.

Durable: what is to be told stands in the database until a mail server has taken it. A replica that dies in between
lets another one tell it, so a mail may come twice, and is not lost. Verified addresses alone are written to.
"""

import asyncio

from agentauri import logs
from agentauri.channels.mail import Mail
from agentauri.errors import Unavailable
from agentauri.models.disabling import WHAT_NOW, one_line
from agentauri.serve import API
from agentauri.serve.outbox import Outbox
from agentauri.store import disabled_actions
from agentauri.store.database import AWAY, Pool
from agentauri.store.disabled_actions import Disabled

log = logs.get("mail")
LOOK_SECONDS = 20.0
AT_ONCE = 20
MAX_REASON = 500


class DisabledMails:
    """``keep_sending`` looks for what is to be told."""

    def __init__(self, pool: Pool, outbox: Outbox, url: str) -> None:
        self._pool, self._outbox, self._url = pool, outbox, url

    async def keep_sending(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.send()
            except AWAY as error:
                log.warning("disabled_actions_not_read", error=repr(error))

    async def send(self) -> None:
        """Tell what is to be told now. Where there is no mail server everything waits, and is given up in days."""
        try:
            self._outbox.check()
        except Unavailable:
            return
        async with self._pool.acquire() as connection:
            found = await disabled_actions.lease(connection, AT_ONCE)
        for one in found:
            await self._tell(one)

    async def _tell(self, one: Disabled) -> None:
        to = one.emails if one.is_disabled else ()
        taken = [await self._outbox.deliver(mail_of(one, address, self._url)) for address in to]
        if to and not any(taken):
            return  # the lease ends, and somebody tries again
        async with self._pool.acquire() as connection:
            await disabled_actions.settle(connection, one, mailed=bool(taken))


def mail_of(one: Disabled, to: str, url: str) -> Mail:
    """What is said to one of the admins."""
    trigger = one_line(one.trigger_name)
    path = f"{url}{API}/triggers/{one.trigger_id}/actions/{one.action_id}"
    return Mail(
        to,
        f"An action of your trigger “{trigger}” was disabled",
        f"""Hello,

AgentAuri disabled the {one.action_type} action of the trigger “{trigger}”
in the organization “{one_line(one.organization_name)}” at {one.created_at:%Y-%m-%d %H:%M:%S} UTC:

    {one_line(one.reason, MAX_REASON)}

{WHAT_NOW}
Try its receiver by POST {path}/send-test,
and enable it by PATCH {path} with {{"enabled": true}}.
""",
    )
