"""The address that something listens on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from planwarden.errors import AddressUnusable

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port; port 0 leaves it to the system."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def read_address(text: str) -> Address:
    """Read `HOST:PORT`, an IPv6 host in brackets.

    Raises:
        AddressUnusable: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise AddressUnusable(
            f"'{text}' is not an address to listen on.",
            remedy="Write host and port, as in 127.0.0.1:9464 or [::1]:9464.",
        )
    return Address(host=found["six"] or found["host"], port=int(found["port"]))
