"""Which addresses a configured URL may lead to, judged when connecting: a name may point elsewhere than it did."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Literal

import httpcore

from alerts.channels.deadline import Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal["public", "private", "forbidden"]
Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) -> addresses"""


def _networks(*written: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, written))


# Link-local, and where clouds hand out credentials to whoever asks: nobody's webhook, not even a self-hosted one.
_NEVER = _networks(
    "169.254.0.0/16", "fe80::/10", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32"
)  # fmt: skip
_PRIVATE = _networks(
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


def kind(address: str) -> Kind:
    """Whether an address is everybody's, this organisation's own, or nobody's to connect to (pure)."""
    ip = _unwrapped(ipaddress.ip_address(address))
    if any(ip in network for network in _NEVER):
        return "forbidden"
    if any(ip in network for network in _PRIVATE):
        return "private"
    unicast = ip.is_global and not ip.is_multicast and not ip.is_reserved
    return "public" if unicast and (ip.version == 4 or ip in _UNICAST) else "forbidden"


def _unwrapped(ip: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does: `::ffff:10.0.0.1` is `10.0.0.1`."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host as the system knows them. It also reads `2852039166` as the address it is."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class AddressRefusedError(Exception):
    """The host leads to an address that it may not lead to."""


class Guard(httpcore.NetworkBackend):
    """Connects to vetted addresses only. The host's name stays what is asked for and what its certificate must say."""

    def __init__(self, allowed: Collection[Kind], deadline: Deadline, resolver: Resolver = resolve) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._resolve = resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers, provided that all of them may be connected to."""
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in self._vetted(host, port):
            limit = min(timeout or self._deadline.left(), self._deadline.left())
            try:
                stream = self._sockets.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._deadline.watch(stream.get_extra_info("socket"))
                return stream
        raise failure

    def _vetted(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the host's name is not known") from None
        for address in addresses:
            if kind(address) not in self._allowed:
                raise AddressRefusedError(f"its host leads to {address}, which is {_WHY[kind(address)]}")
        return addresses


_WHY: dict[Kind, str] = {
    "public": "a public address, where only https is allowed",
    "private": "a private address; allow_private = true allows it",
    "forbidden": "no address for a webhook",
}
