"""What the mails about an account say: what happened, what to do, and what to do if it was not you.

There are no pages to click through, so a mail carries the command that does what it is about. Nothing that a stranger
could have typed in stands in a mail, or registering would be a way to write to anybody.
"""

import json
import shlex
from datetime import timedelta

from agentauri.accounts.mail_tokens import LIFETIME, Purpose
from agentauri.channels.mail import Mail
from agentauri.serve import API

HOUR = timedelta(hours=1)


def verify_address(to: str, token: str, url: str) -> Mail:
    """Asks a new user to show that the address is theirs."""
    return Mail(
        to,
        "Verify your e-mail address for AgentAuri",
        f"""Hello,

an account at {url} was made with this e-mail address.
If that was you, verify the address:

{_command(url, "email/verify", token=token)}

or give this token to the program that you use:

{token}

It works once, within {_hours(Purpose.VERIFY)}. If it was not you, ignore this mail; without
the token nobody can show that your address is theirs.
""",
    )


def change_address(to: str, token: str, url: str) -> Mail:
    """Asks whether an account may change to this address."""
    return Mail(
        to,
        "Confirm your new e-mail address for AgentAuri",
        f"""Hello,

somebody who is logged in to an account at {url}
wants to use this e-mail address for it. If that was you, confirm it:

{_command(url, "email/verify", token=token)}

or give this token to the program that you use:

{token}

It works once, within {_hours(Purpose.CHANGE)}. Until then the account keeps its old address.
If it was not you, ignore this mail, and nothing changes.
""",
    )


def reset_password(to: str, token: str, url: str) -> Mail:
    """Lets who forgot the password set another one."""
    return Mail(
        to,
        "Set a new password for AgentAuri",
        f"""Hello,

somebody asked for a new password of your account at
{url}. If that was you, choose one:

{_command(url, "password/reset", token=token, password="YOUR NEW PASSWORD")}

or give this token to the program that you use:

{token}

It works once, within {_hours(Purpose.RESET)}, and ends every session of the account.
If it was not you, ignore this mail: your password stays as it is.
""",
    )


def password_changed(to: str, url: str) -> Mail:
    """Tells that the password is another one now."""
    return Mail(
        to,
        "Your AgentAuri password was changed",
        f"""Hello,

the password of your account at {url} was changed just now,
and its other sessions were ended. If that was you, there is nothing to do.

If it was not you, set a new password at once; this sends you a mail for it:

{_command(url, "password/forgot", email=to)}
""",
    )


def address_changing(to: str, url: str) -> Mail:
    """Tells the old address that the account asked for another one."""
    return Mail(
        to,
        "The e-mail address of your AgentAuri account is being changed",
        f"""Hello,

somebody who is logged in to your account at {url} asked to
change its e-mail address; this mail goes to the one that it has now. If that
was you, there is nothing to do here.

If it was not you, set a new password at once: it ends every session and calls
the change off. This sends you a mail for it:

{_command(url, "password/forgot", email=to)}
""",
    )


def _command(url: str, path: str, **body: str) -> str:
    quoted = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"    curl {url}{API}/auth/{path} \\\n      -H 'Content-Type: application/json' \\\n      -d {quoted}"


def _hours(purpose: Purpose) -> str:
    hours = LIFETIME[purpose] // HOUR
    return "one hour" if hours == 1 else f"{hours} hours"
