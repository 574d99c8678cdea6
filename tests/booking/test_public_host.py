"""Public hosts: nothing that somebody types leads into our own network."""

from __future__ import annotations

import httpx
import pytest

from booking.public_host import AddressNotPublic, checked_address, is_public, pinned, read_url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.88.99.1", "198.18.0.1", "203.0.113.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "3fff::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:7f00:1::1", "100::1", "5f00::1",
    ],
)  # fmt: skip
def test_an_address_of_no_public_host_is_recognized(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_is_recognized(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "https://user@hooks.example/", "https://u:p@hooks.example/",
        "https://", "https:///path", "hooks.example", "https://hooks.example:0/", "https://hooks.example:70000/",
        "https://hooks.example/a b", "https://hooks.example\n/", "https://[::1", "https://" + "x" * 3000, "",
        "file:///etc/passwd", "//hooks.example/",
    ],
)  # fmt: skip
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(AddressNotPublic):
        read_url(url, private=False)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://localhost/"])
async def test_this_machine_is_refused_by_any_of_its_names(url: str) -> None:
    with pytest.raises(AddressNotPublic):
        await checked_address(read_url(url, private=False), private=False)


async def test_a_name_that_leads_to_a_private_address_among_others_is_refused() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(AddressNotPublic):
        await checked_address(httpx.URL("https://hooks.example/"), private=False, resolve=resolve)


def test_the_call_goes_to_the_checked_address_and_asks_for_the_names_certificate() -> None:
    url, host, extension = pinned(read_url("https://bücher.example:8443/x?y=1", private=False), "2606:4700::1")
    assert str(url) == "https://[2606:4700::1]:8443/x?y=1"
    assert host == {"host": "xn--bcher-kva.example:8443"}
    assert extension == {"sni_hostname": "xn--bcher-kva.example"}
