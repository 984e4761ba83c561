"""A model server on loopback, over real sockets, that misbehaves on demand."""

from planwarden.testing.model_server.faults import FAULTS, Fault
from planwarden.testing.model_server.misbehaving import MisbehavingServer

__all__ = ["FAULTS", "Fault", "MisbehavingServer"]
