"""The daemon in a process of its own, at a time that it is told: what tests.bench_daemon drives.

    python -m tests.driven_daemon CONFIG  <  a moment a line  >  how it is doing, as JSON, a line for each

Nothing is imported here but what the daemon imports: its memory is measured.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor import config
from monitor.apart import OPEN
from monitor.daemon import Daemon
from monitor.web.published import Published
from monitor.web.serve import serving


def drive(file: str) -> None:
    """For each moment on stdin do what is due at it, and be visited."""
    settings = config.load(Path(file), {})
    clock = [datetime(2025, 1, 1, tzinfo=UTC)]
    daemon = Daemon(settings, lambda: clock[0], Published(settings.warehouse.publish))
    daemon.ask(OPEN)
    with serving(settings, daemon.published, health=daemon.health, now=daemon.now) as address:
        for line in sys.stdin:
            clock[0] = datetime.fromisoformat(line.strip())
            for job in daemon.jobs():
                job.run()
            for path in ("", "board/models", "flips"):
                urllib.request.urlopen(address + path, timeout=60).read()
            sys.stdout.write(json.dumps(state(settings, daemon)) + "\n")
            sys.stdout.flush()


def state(settings: config.Settings, daemon: Daemon) -> dict[str, Any]:
    """Memory in MB, processor seconds, and bytes on disk."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    jobs = resource.getrusage(resource.RUSAGE_CHILDREN)
    folder = settings.warehouse.path.parent
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    return {
        "daemon": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "job": jobs.ru_maxrss / 1024,
        "seconds": jobs.ru_utime + jobs.ru_stime,
        "warehouse": sizes.pop("warehouse.duckdb") + sizes.pop("warehouse.duckdb.wal", 0),
        "published": sizes.pop("adoption.duckdb"),
        "other": sorted(sizes),
        "ok": all(last is not None and last.ok for name, last in daemon.last.items() if name != "deliver"),
        "health": daemon.health().reasons,
    }


if __name__ == "__main__":
    drive(sys.argv[1])
