"""The mail that brings an invitation to the invited person."""

MAX_NAME_IN_SUBJECT = 80


def invite_mail(*, organization: str, role: str, token: str, public_url: str) -> tuple[str, str]:
    """Subject and text. Names are cut and stand on one line, whatever is in them."""
    name = " ".join(organization.split())[:MAX_NAME_IN_SUBJECT]
    subject = f"Invitation to {name} on AgentAuri"
    text = f"""\
You are invited to the organization {name} on AgentAuri ({public_url}), as {role}.

To accept, sign in with this e-mail address, verified, and send

    POST {public_url}/api/v1/organizations/invitations/accept
    {{"token": "{token}"}}

The invitation works once, for 7 days. If you expected none, leave it; nothing happens then.
"""
    return subject, text
