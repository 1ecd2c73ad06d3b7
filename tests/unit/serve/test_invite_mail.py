"""The mail of an invitation carries its token, and no name breaks out of its line."""

from agentauri.serve.organizations.mail import invite_mail


def test_mail_names_organization_role_token_and_place() -> None:
    subject, text = invite_mail(organization="Team", role="viewer", token="auri_x", public_url="https://a.example")
    assert subject == "Invitation to Team on AgentAuri"
    assert '{"token": "auri_x"}' in text
    assert "https://a.example/api/v1/organizations/invitations/accept" in text
    assert "as viewer" in text


def test_name_stays_on_its_line_and_is_cut() -> None:
    name = "A\r\nBcc: b@example.com\n\n" + "x" * 300
    subject, _ = invite_mail(organization=name, role="viewer", token="t", public_url="https://a.example")
    assert subject.isprintable()
    assert len(subject) < 120
