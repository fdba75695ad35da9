"""What systemd wants to know of a service: ready, alive, stopping. Silent where there is no systemd."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Tell the service manager, e.g. READY=1 or WATCHDOG=1 (sd_notify's protocol: a datagram to NOTIFY_SOCKET)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
