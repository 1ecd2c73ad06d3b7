"""run.json: for its owner alone, and believed only while its process lives."""

import os
import stat
from pathlib import Path

import pytest

from agentauri.cli import run_file
from agentauri.cli.run_file import Run
from agentauri.errors import StartError


def a_run(pid: int, started: float) -> Run:
    return Run(pid, started, "http://api", "127.0.0.1:1", "http://dashboard", "token", "postgresql://d", "unix:///r")


def test_run_is_read_back_while_its_process_lives(tmp_path: Path) -> None:
    run = a_run(os.getpid(), run_file.started(os.getpid()))
    run_file.write(tmp_path, run)
    assert run_file.get(tmp_path) == run
    assert stat.S_IMODE((tmp_path / run_file.NAME).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [run_file.NAME]


def test_process_of_the_same_id_that_started_later_is_another(tmp_path: Path) -> None:
    run_file.write(tmp_path, a_run(os.getpid(), run_file.started(os.getpid()) - 60))
    assert run_file.find(tmp_path) is None


def test_nothing_running_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no service runs in .*; start one with: agentauri up"):
        run_file.get(tmp_path)


def test_broken_file_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / run_file.NAME).write_text('{"pid": 1}')
    with pytest.raises(StartError, match="remove it and start again"):
        run_file.find(tmp_path)
