"""Settings as text: what is in effect with secrets masked, a commented example file, the table of the README.

All three are made from the classes of ``config.py``, so none can miss a setting. Pure.
"""

from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from agentauri.config import Chain, Settings
from agentauri.config_sources import leaves, variable
from agentauri.logs import MASK

HEADER = """\
# agentauri.toml: every setting with its default; what is commented out has none.
# The environment wins: http.port is AGENTAURI_HTTP__PORT, lists are JSON. A name that is not known is an error.
"""
CHAIN_EXAMPLE: dict[str, Any] = {
    "name": "local",
    "id": 31337,
    "rpc_urls": ["http://127.0.0.1:8545"],
    "confirmations": 0,
    "requests_per_second": 50.0,
}
MASKED_URLS = {"rpc_urls"}
"""Providers put the customer's key into the path."""


def show(settings: Settings) -> str:
    """The settings in effect as TOML, secrets masked."""
    outbound = settings.outbound.model_copy(update={"allowed_networks": settings.allowed_networks()})
    limits = settings.rate_limits.model_copy(update={"mode": settings.rate_limit_mode()})
    settings = settings.model_copy(update={"outbound": outbound, "rate_limits": limits})
    lines = [f"{name} = {_toml(_masked(name, value))}" for name, value in _values(settings)]
    for table, section in _sections(settings):
        lines += ["", f"[{table}]", *_assignments(section)]
    for chain in settings.chains:
        lines += ["", "[[chains]]", *_assignments(chain)]
    return "\n".join(lines) + "\n"


def example() -> str:
    """A file with every setting, commented; as it stands it says the defaults."""
    lines = [HEADER]
    for key, field in leaves(Settings):
        if len(key) == 1 and key != ("chains",):
            lines += _documented(key[0], field, key)
    for table, section in _sections(Settings()):
        lines += [f"# {section.__doc__}", f"[{table}]"]
        for name, field in type(section).model_fields.items():
            lines += _documented(name, field, (*table.split("."), name))
    lines += [f"# {Chain.__doc__}", "# [[chains]]"]
    for name, field in Chain.model_fields.items():
        value = CHAIN_EXAMPLE.get(name, "" if field.default is None else field.default)
        lines += [f"# # {field.description}", f"# {name} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Every setting as rows of a Markdown table: name, environment variable, default, meaning."""
    rows = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    for key, field in leaves(Settings):
        default = "" if field.default is None else f"`{_toml(field.default)}`"
        rows.append(f"| `{'.'.join(key)}` | `{variable(key)}` | {default} | {field.description} |")
    for name, field in Chain.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{_toml(field.default)}`"
        rows.append(f"| `chains[].{name}` | | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def _documented(name: str, field: FieldInfo, key: tuple[str, ...]) -> list[str]:
    about = f"# {field.description} ({variable(key)})"
    if field.default is None:
        return [about, f"# {name} = {'[]' if 'tuple' in str(field.annotation) else _choices(field)}", ""]
    return [about, f"{name} = {_toml(field.default)}", ""]


def _choices(field: FieldInfo) -> str:
    literals = [choice for kind in get_args(field.annotation) for choice in get_args(kind)]
    return _toml(literals[0]) if literals else '""'


def _sections(model: BaseModel, above: str = "") -> Iterator[tuple[str, BaseModel]]:
    """Every table with settings of its own, by its dotted name."""
    for name, value in model:
        if isinstance(value, BaseModel):
            if any(True for _ in _values(value)):
                yield above + name, value
            yield from _sections(value, f"{above}{name}.")


def _values(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, value in model:
        if not isinstance(value, BaseModel) and name != "chains":
            yield name, value


def _assignments(section: BaseModel) -> list[str]:
    """One line a setting; TOML has no null, so what is not set is a comment."""
    return [
        f"# {name} is not set" if value is None else f"{name} = {_toml(_masked(name, value))}"
        for name, value in _values(section)
    ]


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return mask_credentials(value.get_secret_value())
    if name in MASKED_URLS:
        return [mask_path(url) for url in value]
    return value


def mask_credentials(text: str) -> str:
    """An address without its user and password; anything else that is a secret, wholly masked."""
    parts = urlsplit(text)
    if "://" not in text:
        return MASK if text else ""
    place = parts.netloc.rpartition("@")[2]
    hidden = f"{MASK}@" if "@" in parts.netloc.lstrip("@") and parts.password else ""
    return f"{parts.scheme}://{hidden}{place}{parts.path}"


def mask_path(url: str) -> str:
    """An address with nothing but its scheme, host and port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    hidden = parts.path.strip("/") or parts.query or parts.username
    return f"{parts.scheme}://{host}{f'/{MASK}' if hidden else ''}"


def _toml(value: Any) -> str:
    """A value as TOML; its strings and arrays of strings are written as JSON writes them."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, int | float):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return orjson.dumps(str(value)).decode()
