"""Settings as text: nothing secret, nothing missing."""

import re
import tomllib
from pathlib import Path

import pytest

from agentauri import config, config_text
from agentauri.config_sources import leaves

README = Path(__file__).resolve().parents[2] / "README.md"


def test_example_as_it_stands_says_the_defaults() -> None:
    assert config.build(tomllib.loads(config_text.example())) == config.Settings()


def test_example_with_every_comment_of_a_setting_removed_is_accepted() -> None:
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+ = |\[\[)", "", config_text.example())
    settings = config.build(tomllib.loads(uncommented))
    assert settings.chains[0].id == 31337
    assert settings.rate_limits.mode == "shadow"


def test_example_names_every_setting() -> None:
    text = config_text.example()
    assert [key for key, _ in leaves(config.Settings) if not re.search(rf"(?m)^(# )?(\[\[)?{key[-1]}\b", text)] == []


def test_show_masks_keys_passwords_and_the_path_of_providers() -> None:
    settings = config.build(
        {
            "secret_key": "s3cret-" * 6,
            "stores": {
                "database_url": "postgresql://u:hunter2@db:5432/a?password=hunter3",
                "redis_url": "redis://:pw9@r",
            },
            "chains": [{"name": "a", "id": 1, "rpc_urls": ["https://rpc.example/v2/apikey", "http://plain:8545"]}],
        }
    )
    shown = config_text.show(settings)
    assert not re.search("s3cret|hunter|pw9|apikey", shown)
    assert 'database_url = "postgresql://•••@db:5432/a"' in shown
    assert 'rpc_urls = ["https://rpc.example/•••", "http://plain:8545"]' in shown
    assert tomllib.loads(shown)["outbound"]["allowed_networks"] == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(("text", "masked"), [("", ""), ("plain", "•••"), ("unix:///a/b", "unix:///a/b")])
def test_what_is_no_address_is_masked_whole(text: str, masked: str) -> None:
    assert config_text.mask_credentials(text) == masked


def test_readme_has_the_table_of_settings_as_they_are() -> None:
    assert config_text.table() in README.read_text("utf-8"), "run make readme"
