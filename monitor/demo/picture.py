"""The race as a picture for the README: `python -m monitor.demo.picture FILE.png`, from the monthly totals."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from alerts.charts import png, race_chart
from monitor.demo.recordings import DATA
from monitor.series import read_series

FIRST = ("Qwen", "meta-llama", "google", "nvidia", "deepseek-ai", "zai-org", "moonshotai")


def race() -> bytes:
    """Monthly downloads of seven publishers as a PNG; the mark is the lead change that lasted."""
    values = read_series(DATA / "publisher_monthly.csv", "month,publisher,downloads")
    rows = [row for name in FIRST for row in values.rows() if row[1] == name and row[2] >= 100_000]
    chart = race_chart(
        rows,
        title="Qwen leads since April 2025; three more passed meta-llama in 2026",
        subtitle="Downloads a month of each publisher's own text models on Hugging Face, as published by Model Pulse",
        flip=date(2025, 4, 30),
        axis="log",
        width=760,
        height=380,
    )
    return png(chart)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(race())
