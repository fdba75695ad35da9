"""A short soak: the long one, with 500 kills, is `make soak`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from examples import examples

ROOT = Path(__file__).parent.parent
KILLS = examples(12)


def test_some_kills_lose_nothing_and_repeat_only_what_is_promised() -> None:
    command = [sys.executable, "-m", "tests.soak", "--kills", str(KILLS), "--seed", "4"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{KILLS} kills")
    assert "hook: 0 lost" in done.stdout
    assert "bot: 0 lost, 0 repeated" in done.stdout
    assert "repeats that were not promised: none" in done.stdout
