"""The application: configuration, wiring, command line, daemon, demo."""

import os

ALLOCATOR = {"_RJEM_MALLOC_CONF": "background_thread:true,dirty_decay_ms:100,muzzy_decay_ms:0"}
"""What polars is done with goes back to the system soon: it takes turns with DuckDB, and each would hold what it had.
Polars reads it when it is imported."""

for name, value in ALLOCATOR.items():
    os.environ.setdefault(name, value)
