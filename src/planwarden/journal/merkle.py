"""A hash tree over many leaves: one root for all, and a short proof for each. Pure.

The tree of RFC 6962, section 2.1, with SHA-256: leaves and nodes are hashed apart, and a tree of any size has
exactly one shape. Here it is built level by level: neighbours are joined, one left over moves up as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Give the root over leaves in their order, holding only as many hashes as the tree is high."""
    whole: list[tuple[int, bytes]] = []  # complete subtrees from left to right, each smaller than the last
    for leaf in leaves:
        size, node = 1, leaf_hash(leaf)
        while whole and whole[-1][0] == size:
            node = _joined(whole.pop()[1], node)
            size *= 2
        whole.append((size, node))
    if not whole:
        return hashlib.sha256().digest()
    node = whole.pop()[1]
    while whole:
        node = _joined(whole.pop()[1], node)
    return node


class HashTree:
    """A tree that gives proofs; holds 64 bytes for each leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = bytearray()
        for leaf in leaves:
            level += leaf_hash(leaf)
        self._levels = [level]
        while len(level) > HASH_BYTES:
            level = _level_above(level)
            self._levels.append(level)

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Give what has to be joined to a leaf's hash, from the leaf up, to come to the root."""
        path: list[bytes] = []
        for level in self._levels[:-1]:
            beside = (index ^ 1) * HASH_BYTES
            if beside < len(level):
                path.append(bytes(level[beside : beside + HASH_BYTES]))
            index >>= 1
        return tuple(path)


def proven_root(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Give the root that a proof leads to for the leaf at `index` of `size`; None for one of wrong length."""
    if not 0 <= index < size:
        return None
    node, rest = leaf_hash(leaf), list(proof)
    while size > 1:
        if index ^ 1 < size:
            if not rest:
                return None
            beside = rest.pop(0)
            node = _joined(beside, node) if index & 1 else _joined(node, beside)
        index, size = index >> 1, (size + 1) >> 1
    return None if rest else node


def _joined(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _level_above(level: bytearray) -> bytearray:
    above = bytearray()
    for place in range(0, len(level), 2 * HASH_BYTES):
        pair = level[place : place + 2 * HASH_BYTES]
        left, right = bytes(pair[:HASH_BYTES]), bytes(pair[HASH_BYTES:])
        above += _joined(left, right) if right else left
    return above
