"""``agentauri up``: ready, looked at from outside, broken, killed, stopped, and nothing left."""

import json
import signal
import urllib.error
import urllib.request

import pytest

from agentauri import processes
from tests.support.up import READY_SECONDS, Place, Up
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
STOP_SECONDS = 10.0


def test_service_is_ready_seen_from_outside_cleaned_up_after_a_kill_and_gone_after_ctrl_c(here: Place) -> None:
    first = Up(here)
    first.wait_for("AgentAuri is ready")
    second = here.command("up")
    assert second.returncode == 1
    assert "another agentauri (process" in second.stderr
    status = first.json("status", "--json")
    assert {actor["name"]: actor["state"] for actor in status["actors"]} == dict.fromkeys(
        ["deliverer-00", "evaluator-00", "evaluator-01", "listener"], "alive"
    )
    assert status["listener"]["epoch"] == 1
    assert first.heard_outside() == []
    assert here.command("simulate", "--count", "300", "--rate", "0").returncode == 0
    until(lambda: first.json("status", "--json")["listener"]["cursor"] >= 300)
    first.kill()

    again = Up(here)
    again.wait_for("AgentAuri is ready")
    assert "ended what an earlier, killed run left of" in again.said
    assert again.json("status", "--json")["listener"]["cursor"] >= 300
    status_code, seconds = again.end()
    assert (status_code, "Traceback" in again.said) == (0, False)
    assert seconds < STOP_SECONDS
    assert not here.runtime.exists()
    assert "no service runs in" in here.command("status").stderr


def test_cluster_that_breaks_is_built_again_and_a_forged_peer_reaches_nobody(here: Place) -> None:
    service = Up(here, tiny=True)
    service.wait_for("AgentAuri is ready")
    url = f"http://127.0.0.1:{here.http_port}/api/v1/health/ready"
    request = urllib.request.Request(url, headers={"X-AgentAuri-Peer": "8.8.8.8"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["peer"] == "127.0.0.1"
    for header in ("X-Request-ID", "X-Session-ID", "Serve_Multiplexed_Model_ID", "X-Request-Disconnect-Disabled"):
        request = urllib.request.Request(url, headers={header: "\xff"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, method="BREW"), timeout=10)
    told = json.load(refused.value)
    assert (told["error"], told["instance"]) == ("method_not_allowed", "/api/v1/health/ready")
    assert told["request_id"] == refused.value.headers["X-Request-ID"]
    (gcs,) = (process for process in processes.running_in(here.runtime / "ray") if process.name() == "gcs_server")
    gcs.kill()
    service.wait_for("built again(?s:.*)✓ Ray")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
    status, seconds = service.end(signal.SIGTERM)
    assert status == 0
    assert seconds < STOP_SECONDS


@pytest.mark.parametrize("process", ["valkey-server", "gcs_server", "haproxy"])
def test_ctrl_c_during_the_start_leaves_nothing(here: Place, process: str) -> None:
    service = Up(here, tiny=True)
    until(lambda: process in here.left(), seconds=READY_SECONDS)
    status, seconds = service.end()
    assert (status, "Traceback" in service.said) == (0, False)
    assert seconds < STOP_SECONDS
    assert not here.runtime.exists()
