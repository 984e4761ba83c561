"""A run as it is stored, whole and unread: what is taken out of one journal and put into another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from planwarden.contracts.event import ChainFault, EventLink
from planwarden.journal.chain import Payload, chain_faults
from planwarden.journal.entry import conversation_in, tenant_in


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One run: whose it is, its chain, and its payloads by `seq`, erased ones as such."""

    run_id: str
    tenant: str
    conversation: str | None
    links: Sequence[EventLink]
    payloads: Mapping[int, Payload]

    @property
    def is_whole(self) -> bool:
        """Say whether no payload was erased or is withheld."""
        return not any(payload.erased or payload.withheld for payload in self.payloads.values())

    def first(self, count: int) -> StoredRun:
        """Give it as it was when it had so many events."""
        kept = {seq: payload for seq, payload in self.payloads.items() if seq <= count}
        return replace(self, links=self.links[:count], payloads=kept)

    def faults(self) -> tuple[ChainFault, ...]:
        """Find every place where it is not what was written."""
        if not self.links:
            return (ChainFault(run_id=self.run_id, seq=None, problem="the run has no events"),)
        found = list(chain_faults(self.links, self.payloads))
        if self.links[0].run_id != self.run_id:
            found.append(ChainFault(run_id=self.run_id, seq=1, problem="the events are of another run"))
        first = self.payloads.get(1)
        tenant = tenant_in(first.body) if first else None
        whose = (self.tenant, self.conversation)
        if first and tenant is not None and whose != (tenant, conversation_in(first.body)):
            problem = "another tenant or conversation is noted than its first event names"
            found.append(ChainFault(run_id=self.run_id, seq=None, problem=problem))
        return tuple(found)
