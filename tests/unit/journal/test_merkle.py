"""The hash tree of RFC 6962: one shape for each size, a proof for each leaf, and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.journal.merkle import HashTree, leaf_hash, proven_root, root_of

pytestmark = pytest.mark.requirement("SEAL-1")

LEAVES = st.lists(st.binary(max_size=6), min_size=1, max_size=40)


def as_the_rfc_says(leaves: list[bytes]) -> bytes:
    """Hash leaves by the recursive definition of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = as_the_rfc_says(leaves[:split]), as_the_rfc_says(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(LEAVES)
def test_the_root_is_that_of_the_rfc_and_every_leaf_has_a_proof_of_it(leaves: list[bytes]) -> None:
    root, tree = as_the_rfc_says(leaves), HashTree(leaves)
    assert root_of(leaves) == root
    for index, leaf in enumerate(leaves):
        assert proven_root(leaf, index=index, size=len(leaves), proof=tree.proof(index)) == root


@given(LEAVES, st.data())
def test_a_proof_shows_no_other_leaf_place_or_size(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = root_of(leaves), HashTree(leaves).proof(index)
    assert proven_root(leaves[index] + b"!", index=index, size=len(leaves), proof=proof) != root
    assert proven_root(leaves[index], index=index, size=len(leaves), proof=(*proof, root)) is None
    assert proven_root(leaves[index], index=len(leaves), size=len(leaves), proof=proof) is None
    assert proven_root(leaves[index], index=-1, size=len(leaves), proof=proof) is None
    if proof:
        assert proven_root(leaves[index], index=index, size=len(leaves), proof=proof[:-1]) is None
        broken = (bytes(32), *proof[1:])
        assert proven_root(leaves[index], index=index, size=len(leaves), proof=broken) != root


def test_an_empty_tree_and_a_leaf_that_looks_like_a_node_are_told_apart() -> None:
    assert root_of([]) == hashlib.sha256(b"").digest()
    pair = [b"a", b"b"]
    assert root_of([leaf_hash(b"a") + leaf_hash(b"b")]) != root_of(pair)
