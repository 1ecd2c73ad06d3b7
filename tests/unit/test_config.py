"""Settings: which source wins, what is refused, and the secret key that is made in development."""

import stat
from pathlib import Path
from typing import Any

import pytest

from agentauri import config
from agentauri.errors import ConfigError

SAFE = {
    "AGENTAURI_ENVIRONMENT": "production",
    "AGENTAURI_SECRET_KEY": "k" * 32,
    "DATABASE_URL": "postgresql://db/a",
    "REDIS_URL": "redis://cache",
}


def loaded(environment: dict[str, str] | None = None, path: Path | None = None, **overrides: Any) -> config.Settings:
    return config.load(path, overrides, environment=environment or {}, make_secret_key=False)


@pytest.fixture(autouse=True)
def _no_file_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("[http]\nport = 8001\nhost = '0.0.0.0'\n")
    settings = loaded({"AGENTAURI_HTTP__PORT": "8002"}, file)
    assert (settings.http.port, settings.http.host, settings.metrics.port) == (8002, "0.0.0.0", 9090)


def test_file_of_the_working_directory_is_read_without_being_named(tmp_path: Path) -> None:
    (tmp_path / "agentauri.toml").write_text("public_url = 'https://a.example/'\n")
    assert loaded().public_url == "https://a.example"


def test_named_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read: No such file"):
        loaded(path=Path("nowhere.toml"))


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "agentauri.toml").write_text("[http\n")
    with pytest.raises(ConfigError, match=r"agentauri\.toml is not valid TOML"):
        loaded()


def test_classic_names_are_read_and_the_own_name_wins() -> None:
    settings = loaded(
        {"DATABASE_URL": "postgres://a", "REDIS_URL": "redis://b", "AGENTAURI_STORES__REDIS_URL": "redis://c"}
    )
    assert settings.stores.database_url.get_secret_value() == "postgres://a"
    assert settings.stores.redis_url.get_secret_value() == "redis://c"


def test_lists_and_chains_are_given_as_json() -> None:
    chains = '[{"name": "local", "id": 31337, "rpc_urls": ["http://127.0.0.1:8545"]}]'
    settings = loaded({"AGENTAURI_CHAINS": chains, "AGENTAURI_HTTP__TRUSTED_PROXIES": '["10.0.0.0/8"]'})
    assert settings.chains[0].rpc_urls == ("http://127.0.0.1:8545",)
    assert settings.http.trusted_proxies == ("10.0.0.0/8",)


def test_origins_are_kept_as_browsers_send_them() -> None:
    settings = loaded({"AGENTAURI_HTTP__CORS_ORIGINS": '["https://App.example.com/", "http://[::1]:3000"]'})
    assert settings.http.cors_origins == ("https://app.example.com", "http://[::1]:3000")


def test_empty_variable_counts_as_not_set() -> None:
    assert loaded({"AGENTAURI_HTTP__PORT": "", "DATABASE_URL": ""}) == config.Settings()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"AGENTAURI_HTTP__PROT": "1"}, "AGENTAURI_HTTP__PROT is not known; did you mean AGENTAURI_HTTP__PORT?"),
        ({"AGENTAURI_HTTP__PORT": "many"}, r"http.port \(or AGENTAURI_HTTP__PORT\): .*integer"),
        ({"AGENTAURI_HTTP__CORS_ORIGINS": "http://a"}, "AGENTAURI_HTTP__CORS_ORIGINS has to be a JSON list"),
        *(
            ({"AGENTAURI_HTTP__CORS_ORIGINS": f'["{origin}"]'}, "has to be an origin such as")
            for origin in ("null", "https://*.example.com", "https://a.example/path", "a.example", "", "file://a")
        ),
        ({"DATABASE_URL": "mysql://root:hunter2@db"}, "has to start with postgresql:// or postgres://"),
        ({"AGENTAURI_OUTBOUND__ALLOWED_NETWORKS": '["300.1.1.1"]'}, "allowed_networks.0: '300.1.1.1'"),
        ({"AGENTAURI_ACTORS__DELIVERERS_MIN": "9"}, "deliverers_min is above deliverers_max"),
        ({"AGENTAURI_OAUTH__GOOGLE__CLIENT_ID": "x"}, "oauth.google.*client_id is set without client_secret"),
        ({"AGENTAURI_OAUTH__GOOGLE__BASE_URL": "ftp://a"}, r"oauth.google.base_url .*http:// or https://"),
        ({"AGENTAURI_SECURITY_CONTACT": "ada@example.com"}, "security_contact"),
        ({"AGENTAURI_SECURITY_CONTACT": "https://a\nPolicy: b"}, "security_contact"),
        ({"AGENTAURI_CHAINS": '[{"name": "a", "id": 1, "rpc_url": ["http://a"]}]'}, "did you mean chains.rpc_urls?"),
        ({"AGENTAURI_CHAINS": '[{"name": "a", "id": 1, "rpc_urls": ["file:///a"]}]'}, "http:// or https:// or ws://"),
        ({"AGENTAURI_CHAINS": '[{"name": "a", "id": 0, "rpc_urls": ["http://a"]}]'}, "chains.0.id"),
    ],
)
def test_bad_value_is_one_line_with_the_key(environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        loaded(environment)
    assert "\n" not in caught.value.message
    assert "hunter2" not in caught.value.message


def test_unknown_key_of_the_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "agentauri.toml").write_text("[retention]\nevent_days = 3\n")
    with pytest.raises(ConfigError, match=r"retention\.event_days is not known; did you mean retention\.events_days\?"):
        loaded()


def test_chain_given_twice_is_refused() -> None:
    chain = {"name": "a", "id": 5, "rpc_urls": ["http://a"]}
    with pytest.raises(ConfigError, match="the id 5 stands twice"):
        loaded(chains=[chain, chain])


def test_high_ports_are_all_from_1024_on_unless_the_settings_say_fewer() -> None:
    assert loaded().high_ports() == range(1024, 65536)
    assert loaded(outbound={"first_high_port": 8000, "last_high_port": 8999}).high_ports() == range(8000, 9000)


def test_production_with_safe_values_starts_with_enforced_limits_and_no_private_network() -> None:
    settings = loaded(SAFE)
    assert settings.rate_limit_mode() == "enforce"
    assert settings.allowed_networks() == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"AGENTAURI_SECRET_KEY": ""}, "secret_key is missing"),
        ({"AGENTAURI_SECRET_KEY": "short"}, "secret_key is missing or short"),
        ({"DATABASE_URL": ""}, "set DATABASE_URL"),
        ({"REDIS_URL": ""}, "set REDIS_URL"),
        ({"AGENTAURI_HTTP__CORS_ORIGINS": '["*"]'}, "name the origins"),
        ({"AGENTAURI_OUTBOUND__ALLOWED_NETWORKS": '["127.0.0.0/8"]'}, "opens private networks"),
        ({"AGENTAURI_HTTP__TRUSTED_PROXIES": '["10.0.0.0/8", "::/0"]'}, "trusts everybody"),
        ({"AGENTAURI_OAUTH__GITHUB__BASE_URL": "http://git.example"}, "oauth.github.base_url is in clear"),
    ],
)
def test_production_refuses_unsafe_value(change: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=f"production refuses: {told}|production refuses: .*{told}"):
        loaded(SAFE | change)


@pytest.mark.parametrize("token", ["short", "ä" * 16])
def test_monitoring_token_that_can_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match=r"MONITORING_TOKEN\): has to have 16 ASCII") as refused:
        loaded({"AGENTAURI_RATE_LIMITS__MONITORING_TOKEN": token})
    assert token not in str(refused.value)


def test_secret_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    environment = {"AGENTAURI_DATA_DIR": str(tmp_path / "data")}
    first, second = (config.load(environment=environment).secret_key.get_secret_value() for _ in range(2))
    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_nothing_is_written_when_no_key_is_to_be_made(tmp_path: Path) -> None:
    assert loaded({"AGENTAURI_DATA_DIR": str(tmp_path / "data")}).secret_key.get_secret_value() == ""
    assert not (tmp_path / "data").exists()


def test_data_dir_that_cannot_be_made_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set AGENTAURI_DATA_DIR"):
        config.load(environment={"AGENTAURI_DATA_DIR": str(tmp_path / "file" / "data")})
