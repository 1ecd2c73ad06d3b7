"""The texts of mails: whole commands, short lines, and nothing that a shell could misread."""

import json
import shlex

import pytest

from agentauri.accounts.mail_tokens import make_mail_token
from agentauri.channels.mail import MAX_LINE_LENGTH, Mail
from agentauri.serve.auth import mails

URL = "https://triggers.example.com"
TOKEN = make_mail_token()[0]
ALL = [
    mails.verify_address("ada@example.com", TOKEN, URL),
    mails.change_address("ada@example.com", TOKEN, URL),
    mails.reset_password("ada@example.com", TOKEN, URL),
    mails.password_changed("ada@example.com", URL),
    mails.address_changing("ada@example.com", URL),
]


def command(mail: Mail) -> list[str]:
    """The arguments of the curl in a mail, as a shell reads them."""
    text = mail.text[mail.text.index("    curl") :]
    return shlex.split(text.partition("\n\n")[0].replace("\\\n", ""))


@pytest.mark.parametrize("mail", ALL, ids=lambda mail: mail.subject)
def test_a_mail_carries_a_command_that_calls_the_api(mail: Mail) -> None:
    words = command(mail)
    assert words[0] == "curl"
    assert words[1].startswith(f"{URL}/api/v1/auth/")
    assert json.loads(words[-1])
    assert all(len(line) < MAX_LINE_LENGTH for line in mail.text.splitlines())
    assert "\n\n\n" not in mail.text


@pytest.mark.parametrize("mail", ALL[:3], ids=lambda mail: mail.subject)
def test_the_token_also_stands_alone_on_a_line(mail: Mail) -> None:
    assert TOKEN in mail.text.splitlines()
    assert json.loads(command(mail)[-1])["token"] == TOKEN


def test_an_address_with_signs_of_a_shell_stays_one_argument() -> None:
    address = "o'brien`id`$HOME@example.com"
    assert json.loads(command(mails.password_changed(address, URL))[-1]) == {"email": address}
