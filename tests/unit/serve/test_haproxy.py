"""The launcher's changes to the configuration that Ray Serve writes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ray.serve._private import haproxy_templates

from agentauri.serve import frame, haproxy, problems
from agentauri.serve.schemas import Problem

CONFIG = """\
global
    log 127.0.0.1:514 local0 info
    stats socket /tmp/x/admin.sock mode 666 level admin expose-fd listeners
frontend prometheus
    bind :9101
    mode http
frontend http_frontend
    bind 127.0.0.1:8000
    acl healthcheck path -i /-/healthz
backend api
    server one 127.0.0.1:30000
listen stats
  bind *:8404
  stats enable
"""


def test_peer_is_stated_before_any_other_rule_of_the_api() -> None:
    rewritten = haproxy.rewrite(CONFIG, "127.0.0.1")
    front = rewritten[rewritten.index("frontend http_frontend\n    bind 127.0.0.1:8000\n") :]
    rules = re.findall(r"(?m)^ +(http-request .*|acl .*)$", front)
    assert rules[0] == "http-request set-header X-AgentAuri-Peer %[src]"


def test_answers_of_haproxy_itself_look_like_ours() -> None:
    assert {name.lower().encode(): value.encode() for name, value in haproxy.HEADERS.items()} == dict(
        [*frame.HEADERS, (frame.CSP_NAME, frame.JSON_CSP)]
    )
    assert {code: title for code, title, _ in haproxy.ERRORS.values()}.items() <= problems.TITLES.items()
    answers = re.findall(r"(?m)^    http-error status (\d+) .*lf-string '(.*?)' hdr", haproxy.rewrite(CONFIG, "::1"))
    assert [int(status) for status, _ in answers] == list(haproxy.ERRORS)
    for status, body in answers:
        told = json.loads(body)
        Problem.model_validate(told)
        assert (told["status"], told["detail"]) == (int(status), told["message"])


@pytest.mark.parametrize(("host", "bind"), [("0.0.0.0", "0.0.0.0:8000"), ("::1", "[::1]:8000")])
def test_api_listens_where_the_settings_say_and_nothing_else_does(host: str, bind: str) -> None:
    rewritten = haproxy.rewrite(CONFIG, host)
    assert re.findall(r"bind (\S+)", rewritten) == ["127.0.0.1:9101", bind, "127.0.0.1:8404"]
    assert "server one 127.0.0.1:30000" in rewritten
    assert "mode 600 level admin" in rewritten


def test_rewriting_twice_changes_nothing_more() -> None:
    once = haproxy.rewrite(CONFIG, "0.0.0.0")
    assert haproxy.rewrite(once, "0.0.0.0") == once


@pytest.mark.parametrize("missing", ["frontend http_frontend", "listen stats", "frontend prometheus", "stats socket"])
def test_configuration_of_another_form_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="this Ray is too new"):
        haproxy.rewrite(CONFIG.replace(missing, "frontend other"), "127.0.0.1")


def test_installed_ray_still_writes_what_is_looked_for() -> None:
    template = haproxy_templates.HAPROXY_CONFIG_TEMPLATE
    for line in (
        "frontend prometheus\n    bind :{{ config.metrics_port }}",
        "frontend http_frontend\n    bind {{ config.frontend_host }}:{{ config.frontend_port }}",
        "listen stats\n  bind *:{{ config.stats_port }}",
        "log {{ config.log_target }} local0 info\n",
        "stats socket {{ config.socket_path }} mode 666",
    ):
        assert template.count(line) == 1


def test_script_rewrites_the_file_and_becomes_the_program_with_its_arguments(tmp_path: Path) -> None:
    config = tmp_path / "with space.cfg"
    config.write_text(CONFIG)
    script = haproxy.install(tmp_path, binary=Path("/bin/echo"), host="127.0.0.1")
    told = subprocess.run(
        [script, "-db", "-f", config, "-sf", "7"], capture_output=True, text=True, timeout=10, check=True
    )
    assert told.stdout == f"-db -f {config} -sf 7\n"
    assert haproxy.PEER in config.read_text()


def test_script_imports_nothing_but_the_standard_library() -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({haproxy.__file__!r})"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert told.returncode == 0, told.stderr
