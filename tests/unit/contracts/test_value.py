"""Canonical bytes and digests."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.value import canonical_json, digest, digest_bytes

pytestmark = pytest.mark.requirement("CON-2")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any) -> Any:
    """Give the same value with the keys of its objects in another order."""
    if hasattr(value, "items"):
        items: list[Any] = [(key, shuffled(value[key])) for key in value]
        random.Random(7).shuffle(items)
        return dict(items)
    return [shuffled(inner) for inner in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType] - any JSON


@given(VALUES)
def test_the_canonical_form_is_json_for_the_same_value_whatever_the_order_of_keys(value: object) -> None:
    written = canonical_json(value)
    assert json.loads(written.decode("utf-8", "surrogatepass")) == value
    assert canonical_json(shuffled(value)) == written
    assert digest(value) == digest_bytes(written)


@given(VALUES, VALUES)
def test_different_values_have_different_forms(one: object, two: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (canonical_json(one) == canonical_json(two)) == same
    assert (digest(one) == digest(two)) == same


def test_the_form_is_fixed_byte_for_byte() -> None:
    value = {"b": [1, 2.5, True, None], "a": {"ü": "é\n", "": ""}}
    assert canonical_json(value) == '{"a":{"":"","ü":"é\\n"},"b":[1,2.5,true,null]}'.encode()
    expected = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest({}) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": object()})
