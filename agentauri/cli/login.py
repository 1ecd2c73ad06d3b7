"""``agentauri login``, ``logout`` and ``whoami``.

A password is asked for without echo, or read as one line of standard input; it never stands on a command line, which
everybody on the machine can read, and is not kept.
"""

import getpass
import sys
from typing import Any
from urllib.parse import urlsplit

import orjson

from agentauri.cli.client import Client
from agentauri.cli.console import console, say
from agentauri.cli.credentials import CredentialsFile, Key, Tokens, folder
from agentauri.cli.printable import printable
from agentauri.cli.refusals import LOOPBACK, CallFailed
from agentauri.cli.session import GivenKey, SavedTokens, check_key, chosen_api, find_login, open_client, tokens_of
from agentauri.errors import ConfigError

STANDARD_INPUT = "-"
MAX_SECRET = 4096


def login(api: str | None, *, email: str | None, username: str | None, key: str | None) -> None:
    """Log in and keep the tokens, or keep an API key. Raises ConfigError or CallFailed."""
    address = chosen_api(api)
    if urlsplit(address).scheme == "http" and urlsplit(address).hostname not in LOOPBACK:
        say(f"warning: {address} is not encrypted; others on the way can read what is sent.")
    if key is not None:
        _keep_key(address, key)
        return
    who = _who(email, username)
    secret = read_secret("Password")
    with Client(address) as client:
        data = client.call("POST", "/auth/login", {**who, "password": secret})["data"]
    file = CredentialsFile(folder())
    with file.locked():
        file.put(address, tokens_of(data), make_current=True)
    say(f"logged in to {address} as {_name(data['user'])}.")


def logout(api: str | None) -> None:
    """End the session, and forget what is stored of it. Raises CallFailed when the API cannot be told."""
    address = chosen_api(api)
    file = CredentialsFile(folder())
    found = file.read().logins.get(address)
    if found is None:
        say(f"there is no login to {address}.")
        return
    try:
        if isinstance(found, Tokens):
            with Client(address, SavedTokens(file, address)) as client:
                client.call("POST", "/auth/logout")
    except CallFailed as error:
        if error.status != 401:  # of one that has ended there is nothing to tell
            raise CallFailed(f"{error.message} The login is forgotten here, but still open there.") from error
    finally:
        with file.locked():
            file.remove(address)
    say(f"logged out of {address}.")


def whoami(api: str | None, *, as_json: bool) -> None:
    """Print as whom commands call the API."""
    address = chosen_api(api)
    with open_client(address) as client:
        if isinstance(found := find_login(address), Key):
            shown: dict[str, Any] = {"api": address, "key": _hint(found.key), "user": None}
            _check_accepted(client)
        else:
            shown = {"api": address, "key": None, "user": client.get("/auth/me")}
    if as_json:
        sys.stdout.write(orjson.dumps(shown).decode() + "\n")
        return
    if shown["user"] is None:
        say(f"API key {shown['key']} at {address}")
        return
    say(f"{_name(shown['user'])} at {address}")
    for one in shown["user"]["organizations"]:
        say(f"  {one['id']}  {one['role']:<6}  {printable(one['name'])}{'  (personal)' if one['personal'] else ''}")


def read_secret(what: str, *, twice: bool = False) -> str:
    """A secret from the terminal without echo (``twice`` against typing mistakes), else a line of standard input.

    Raises ConfigError when there is none, or the two differ.
    """
    if not sys.stdin.isatty():
        secret = sys.stdin.readline(MAX_SECRET).rstrip("\r\n")
    else:
        secret = getpass.getpass(f"{what}: ")
        if twice and getpass.getpass("Once more: ") != secret:
            raise ConfigError("the two differ; nothing was done.")
    if not secret:
        raise ConfigError(f"{what}: nothing was given on standard input.")
    return secret


def _keep_key(address: str, key: str) -> None:
    if key != STANDARD_INPUT:
        raise ConfigError("everybody on this machine can read command lines; use --key - and give the key when asked.")
    text = check_key(read_secret("API key").strip(), "standard input")
    with Client(address, GivenKey(text)) as client:
        _check_accepted(client)
    file = CredentialsFile(folder())
    with file.locked():
        file.put(address, Key(text), make_current=True)
    say(f"commands call {address} with the key {_hint(text)}.")


def _check_accepted(client: Client) -> None:
    """Raise CallFailed unless the credentials are accepted, whatever they reach."""
    try:
        client.get("/auth/me")
    except CallFailed as error:
        if error.status != 403:  # a key is known there, though no user
            raise


def _who(email: str | None, username: str | None) -> dict[str, str]:
    if email and username:
        raise ConfigError("give --email or --username, not both.")
    if email:
        return {"email": email}
    if username:
        return {"username": username}
    if not sys.stdin.isatty():
        raise ConfigError("give --email or --username; the password is read from standard input.")
    answer = console.input("E-mail or user name: ").strip()
    if not answer:
        raise ConfigError("no e-mail or user name was given.")
    return {"email": answer} if "@" in answer else {"username": answer}


def _name(user: dict[str, Any]) -> str:
    return printable(user["email"] or user["username"] or user["id"])


def _hint(key: str) -> str:
    return f"{key[:13]}…"
