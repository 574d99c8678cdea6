"""Public hosts: what an address that somebody gave us may reach, which is the public internet and nothing of ours.

Checking a name is not enough, since it may lead elsewhere a moment later (DNS rebinding): whoever calls a URL here
connects to the very address that was checked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

import httpx

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
LONGEST_URL = 2000

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Leaves out what carries an IPv4 address into IPv6: mapped ones (::ffff:0:0/96) and NAT64 (64:ff9b::/96)."""
NOT_FOR_HOSTS = [ip_network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")]
"""What Python's own tables may let pass: protocol assignments, old 6to4 relays, addresses for documentation."""
HIGHEST_PORT = 65_535


class AddressNotPublic(Exception):
    """This must be an https address that leads to the public internet, without a user name or password in it."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of a host. Raises `OSError`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("The name is not one of the domain name system.") from error
    return [str(address[0]) for *_, address in found]


def read_url(url: str, *, private: bool) -> httpx.URL:
    """Read a URL that may be called, any port of it. `private` lets http pass, too. Raises `AddressNotPublic`."""
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise AddressNotPublic(AddressNotPublic.__doc__) from None
    schemes = ("https", "http") if private else ("https",)
    port = 1 if read.port is None else read.port
    clean = url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if not clean or read.scheme not in schemes or not read.host or read.userinfo or not 1 <= port <= HIGHEST_PORT:
        raise AddressNotPublic(AddressNotPublic.__doc__)
    return read.copy_with(fragment=None)


async def checked_address(url: httpx.URL, *, private: bool, resolve: Resolve = resolve) -> str:
    """Return the address to connect to. Raises `AddressNotPublic`, also where only some of the addresses are.

    `OSError` where the name leads nowhere.
    """
    addresses = await resolve(url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))
    if not addresses:
        raise OSError("The name has no address.")
    if not private and not all(map(is_public, addresses)):
        raise AddressNotPublic(AddressNotPublic.__doc__)
    return addresses[0]


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, whatever notation hides another one in it."""
    parsed: IPv4Address | IPv6Address = ip_address(address)  # with a scope (`fe80::1%eth0`) it is link-local
    if not parsed.is_global or parsed.is_multicast or parsed.is_reserved or any(parsed in one for one in NOT_FOR_HOSTS):
        return False
    if isinstance(parsed, IPv4Address):
        return True
    return parsed in GLOBAL_UNICAST and parsed.sixtofour is None and parsed.teredo is None


def pinned(url: httpx.URL, address: str) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
    """Return the URL by address, the `Host` header, and the extension by which httpx checks the name's certificate."""
    host = url.raw_host.decode("ascii")
    return url.copy_with(host=address), {"host": url.netloc.decode("ascii")}, {"sni_hostname": host}
