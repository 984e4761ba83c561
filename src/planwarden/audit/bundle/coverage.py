"""Whether the anchors that are known took in a bundled run to its end. Pure.

An anchor takes in every run that grew. So a run that ended before one was made is in it or in an older one.
Where nothing shows that, the proof was left out, and the run may have been written since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from planwarden.audit.anchor_file import KeptAnchors
from planwarden.audit.bundle.run_record import AnchorProof
from planwarden.contracts.event import ChainFault
from planwarden.journal.anchor import Anchor
from planwarden.journal.stored import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCoverage:
    """Holds the runs of a bundle against anchors that were kept elsewhere."""

    kept: KeptAnchors
    common: int
    """Number of the newest anchor that both have: it vouches for all before it too. 0: they share none."""

    @classmethod
    def of(cls, kept: KeptAnchors, bundled: Collection[int]) -> KeptCoverage:
        """Take the kept anchors, and the numbers of those in the bundle."""
        common = (anchor.number for anchor in kept.anchors if anchor.number in bundled)
        return cls(kept=kept, common=max(common, default=0))

    def vouches(self, run: StoredRun, proofs: Sequence[AnchorProof]) -> bool:
        """Tell whether an anchor that is kept, or one before it, took in the run to its end."""
        return _covered(proof for proof in proofs if proof.anchor <= self.common) >= run.links[-1].seq

    def faults(self, run: StoredRun, proofs: Sequence[AnchorProof]) -> tuple[ChainFault, ...]:
        """Say that a run ended before a kept anchor, and no anchor at all is shown to have taken it in."""
        problem = coverage_problem(run, proofs, self.kept.anchors, where=f" that is kept in {self.kept.path}")
        return (ChainFault(run_id=run.run_id, seq=None, problem=problem),) if problem else ()

    def doubts(self, run: StoredRun, proofs: Sequence[AnchorProof]) -> tuple[ChainFault, ...]:
        """Say that a run ended before a kept anchor, and only anchors that are not kept took it in.

        An imported run is like that, one that was under way when a clock was set back, and a rewritten one.
        """
        if self.vouches(run, proofs) or self.faults(run, proofs):
            return ()
        later = _made_after_end(run, self.kept.anchors)
        if later is None:
            return ()
        older = "" if self.common else " the file begins after the bundle's last anchor,"
        problem = (
            f"it ended before anchor {later.number} was made, and only anchors that are not kept in"
            f" {self.kept.path} took it in:{older} it was imported, or its end was written later than it says"
        )
        return (ChainFault(run_id=run.run_id, seq=None, problem=problem),)


def coverage_problem(
    run: StoredRun, proofs: Sequence[AnchorProof], anchors: Iterable[Anchor], *, where: str = ""
) -> str:
    """Say that a run ended before an anchor was made and is not shown to be in any; empty when it may be."""
    covered = _covered(proofs)
    if covered >= run.links[-1].seq:
        return ""
    later = _made_after_end(run, anchors)
    if later is None:
        return ""
    shown = f"only its events up to {covered}" if covered else "none of it"
    return f"it ended before anchor {later.number}{where} was made, and {shown} is shown to be in an anchor"


def _covered(proofs: Iterable[AnchorProof]) -> int:
    return max((proof.seq for proof in proofs), default=0)


def _made_after_end(run: StoredRun, anchors: Iterable[Anchor]) -> Anchor | None:
    end = run.links[-1].at
    return next((anchor for anchor in anchors if anchor.at > end), None)
