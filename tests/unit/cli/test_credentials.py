"""The credentials file: its owner's alone, whole whatever happens, and one writer after the other."""

import os
import stat
import threading
from pathlib import Path

import pytest

from agentauri.cli import credentials
from agentauri.cli.credentials import CredentialsFile, Key, Saved, Tokens, parse_api
from agentauri.errors import ConfigError

API = "http://127.0.0.1:8000"
TOKENS = Tokens("access", "aurr_refresh", 1e9)


@pytest.fixture
def file(tmp_path: Path) -> CredentialsFile:
    return CredentialsFile(tmp_path / "agentauri")


def put(file: CredentialsFile, api: str, login: Tokens | Key) -> None:
    with file.locked():
        file.put(api, login, make_current=True)


def test_what_was_put_is_read_back_and_nobody_else_may_read_it(file: CredentialsFile) -> None:
    put(file, API, TOKENS)
    put(file, "https://other.example", Key("aur_live_x"))
    assert file.read() == Saved("https://other.example", {API: TOKENS, "https://other.example": Key("aur_live_x")})
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert sorted(one.name for one in file.path.parent.iterdir()) == ["credentials.json", "credentials.lock"]


def test_removing_the_current_login_leaves_the_others(file: CredentialsFile) -> None:
    put(file, "https://other.example", TOKENS)
    put(file, API, TOKENS)
    with file.locked():
        file.remove(API)
        file.remove("https://never.example")
    assert file.read() == Saved("", {"https://other.example": TOKENS})


def test_no_file_is_no_login(file: CredentialsFile) -> None:
    assert file.read() == Saved()


def test_file_that_others_could_read_is_closed(file: CredentialsFile) -> None:
    put(file, API, TOKENS)
    file.path.chmod(0o644)
    file.read()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_left_half_of_a_killed_command_is_no_obstacle(file: CredentialsFile) -> None:
    file.path.parent.mkdir()
    half = file.path.with_suffix(f".{os.getpid()}.part")
    half.write_text("half")
    half.chmod(0o644)
    put(file, API, TOKENS)
    assert file.read().logins == {API: TOKENS}
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"current": 1, "logins": {"a": {"token": 1}}}'])
def test_broken_file_is_told_with_the_remedy(file: CredentialsFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(ConfigError, match="remove it and run: agentauri login"):
        file.read()


def test_file_of_another_user_is_not_believed(file: CredentialsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    put(file, API, TOKENS)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigError, match="belongs to another user"):
        file.read()


def test_changes_of_many_at_once_are_all_kept(file: CredentialsFile) -> None:
    apis = [f"http://host{number}" for number in range(24)]
    threads = [threading.Thread(target=put, args=(file, api, TOKENS)) for api in apis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(file.read().logins) == set(apis)


def test_lock_that_is_not_let_go_is_told(file: CredentialsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOCK_SECONDS", 0.1)
    with file.locked(), pytest.raises(ConfigError, match="another command holds"):
        with file.locked():
            pass


def test_link_in_the_place_of_the_lock_is_not_followed(file: CredentialsFile, tmp_path: Path) -> None:
    file.path.parent.mkdir()
    file.path.with_suffix(".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be made"):
        with file.locked():
            pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        (" HTTPS://Api.Example.com/api/v1/ ", "https://api.example.com"),
        ("https://example.com/auri/api/v1", "https://example.com/auri"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_address_has_one_spelling(text: str, address: str) -> None:
    assert parse_api(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1:8000", "ftp://x", "http://", "http://a:b@host", "http://x/?q=1", "http://x:99999", "http://["],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--api"):
        parse_api(text)


def test_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert credentials.folder() == tmp_path / "agentauri"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # to be ignored, the standard says
    monkeypatch.setenv("HOME", str(tmp_path))
    assert credentials.folder() == tmp_path / ".config" / "agentauri"
