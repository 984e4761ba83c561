"""Addresses to listen on: read exactly, and told whether others can reach them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.api.listen import Address, read_address
from planwarden.errors import AddressUnusable

pytestmark = pytest.mark.requirement("MET-6")


@pytest.mark.parametrize(
    ("text", "host", "loopback"),
    [
        ("127.0.0.1:9464", "127.0.0.1", True),
        ("127.8.8.8:0", "127.8.8.8", True),
        ("[::1]:9464", "::1", True),
        ("localhost:9464", "localhost", True),
        ("0.0.0.0:9464", "0.0.0.0", False),
        ("[::]:9464", "::", False),
        ("metrics.example:65535", "metrics.example", False),
        ("localhost.example:1", "localhost.example", False),
    ],
)
def test_an_address_is_read_written_and_told_from_loopback(text: str, host: str, loopback: bool) -> None:
    address = read_address(text)
    assert (address.host, address.is_loopback, str(address)) == (host, loopback, text)


@pytest.mark.parametrize(
    "text",
    ["", ":9464", "9464", "host", "host:", "host:65536", "::1:9464", "[::1]", "a b:1", "host:1:2", "h:-1"],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AddressUnusable, match=r"127\.0\.0\.1:9464"):
        read_address(text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = read_address(text)
    except AddressUnusable:
        return
    assert isinstance(address, Address)
    assert 0 <= address.port <= 65_535
