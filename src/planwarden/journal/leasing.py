"""Who may write to a run: the rules of leases, for every journal the same. Pure, but for asking `is_dead`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from planwarden.errors import LeaseHeld, LeaseLost
from planwarden.journal.port import Lease, Owner

IsDead = Callable[[Owner], bool]
"""Whether a process is known to have ended. False where that cannot be known, as for one on another host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who holds a run's lease, as the record says."""

    epoch: int
    owner: Owner | None
    """None: the lease was given back."""
    expires_at: datetime


def first_lease(run_id: str, owner: Owner, *, now: datetime, lease_s: float) -> Lease:
    """Give the lease of a run that is being created."""
    return Lease(run_id=run_id, owner=owner, epoch=1, expires_at=now + timedelta(seconds=lease_s))


def next_lease(
    run_id: str, holding: Holding, claimant: Owner, *, now: datetime, lease_s: float, is_dead: IsDead
) -> Lease:
    """Give the lease to a claimant, under the next epoch, if nobody living holds it.

    Raises:
        LeaseHeld: a process that is not known to be dead holds it, also when that is the claimant itself.
    """
    holder = holding.owner
    free = holder is None or holding.expires_at <= now or (holder.host == claimant.host and is_dead(holder))
    if holder is not None and not free:
        machine = holder.host.partition("/")[0]
        raise LeaseHeld(
            f"Run {run_id} is being worked on by process {holder.pid} on {machine} (owner {holder.id}); "
            f"its lease ends at {holding.expires_at.isoformat(timespec='seconds')} unless it is renewed.",
            remedy="Let it finish, or stop that process: its run can then be taken over, "
            "at once on the same machine, from another one when the lease ends.",
        )
    return Lease(
        run_id=run_id, owner=claimant, epoch=holding.epoch + 1, expires_at=now + timedelta(seconds=lease_s)
    )


def renewed(holding: Holding, lease: Lease, *, now: datetime, lease_s: float) -> Lease:
    """Extend a lease that is still ours.

    Raises:
        LeaseLost: it is not.
    """
    require_ours(holding, lease)
    return Lease(
        run_id=lease.run_id, owner=lease.owner, epoch=lease.epoch, expires_at=now + timedelta(seconds=lease_s)
    )


def require_ours(holding: Holding, lease: Lease) -> None:
    """Refuse a lease that was given back or taken over since.

    Raises:
        LeaseLost: it was.
    """
    if is_ours(holding, lease):
        return
    if holding.owner is None:
        reason = f"the lease of epoch {lease.epoch} was given back"
    else:
        reason = (
            f"process {holding.owner.pid} on {holding.owner.host.partition('/')[0]} took it over "
            f"(epoch {holding.epoch}, ours is {lease.epoch})"
        )
    raise LeaseLost(f"Run {lease.run_id} is not ours any more: {reason}.", remedy=_STOP)


def require_current(holding: Holding, lease: Lease, *, now: datetime) -> None:
    """Refuse a lease that is not ours any more, or that is expired and could be taken over at any moment.

    Raises:
        LeaseLost: it is one of these.
    """
    require_ours(holding, lease)
    if holding.expires_at <= now:
        raise LeaseLost(
            f"The lease of run {lease.run_id} ended at {holding.expires_at.isoformat(timespec='seconds')}.",
            remedy=_STOP,
        )


def is_ours(holding: Holding, lease: Lease) -> bool:
    """Tell whether a lease is still the one in force."""
    return holding.owner is not None and holding.owner.id == lease.owner.id and holding.epoch == lease.epoch


def is_live(holding: Holding, *, now: datetime, is_dead: IsDead) -> bool:
    """Tell whether somebody who may be alive holds the lease."""
    return holding.owner is not None and holding.expires_at > now and not is_dead(holding.owner)


_STOP = "Stop working on this run; whoever owns it carries on from its record."
