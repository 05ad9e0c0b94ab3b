"""The benchmarks run, and measure what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARK = ROOT / "benchmarks" / "autograde.py"


@pytest.mark.proof
def test_autograde_benchmark_prints_its_table(tmp_path: Path) -> None:
    """With tiny counts every contestant gets its row; a run without full points would stop it."""
    options = ["--repetitions", "1", "--batches", "1", "2", "--workers", "1", "--assignments", "counting"]
    command = [sys.executable, str(BENCHMARK), *options, "--write", str(tmp_path / "table.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line for line in (tmp_path / "table.md").read_text().splitlines() if line.startswith("| counting")]
    assert [row.split(" | ")[1] for row in rows] == ["`nbgrader autograde`", "`tensorgrade grade --workers 1`"]


def test_cpu_time_of_orphans_is_counted(tmp_path: Path) -> None:
    """A process whose parent ended first is adopted, waited for and counted."""
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
    command = [sys.executable, str(BENCHMARK), "--measure", str(tmp_path / "cost.json"), sys.executable, "-c", leave]
    subprocess.run(command, check=True)
    assert json.loads((tmp_path / "cost.json").read_text())["cpu"] > 0.5


@pytest.mark.proof
def test_five_people_at_once_meet_no_error(tmp_path: Path) -> None:
    """Signing in, starting servers, fetching, checking and submitting at the same moment works for all of them."""
    command = [sys.executable, "-m", "benchmarks.hub", "--users", "5", "--write", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    table = (tmp_path / "table.md").read_text() if done.returncode in (0, 1) else done.stderr
    assert done.returncode == 0, table
    rows = re.findall(r"^\| ([a-z ]+) \| (\d) \|", table, re.M)
    phases = ("sign in", "start a server", "fetch", "check", "submit", "still there")
    assert rows == [(phase, "5") for phase in phases]


@pytest.mark.proof
def test_twenty_people_hand_in_at_once(tmp_path: Path) -> None:
    """Each gets a receipt in both rounds, and each receipt leads to its bytes."""
    command = [sys.executable, "-m", "benchmarks.exchange", "--students", "20", "--write", str(tmp_path / "table.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| (.+ people) \| (\d+) \| (\d+) \|", (tmp_path / "table.md").read_text(), re.M)
    assert rows == [("unknown people", "20", "0"), ("known people", "20", "0")]
