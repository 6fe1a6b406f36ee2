"""JSON is written as `json.dumps` writes it, to the byte."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from policycheck.report.json_text import compact, indented

from tests.properties.profile import examples

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ODD = st.sampled_from([1e16, 1e-5, -1e300, 0.00012, 10.0000, 123456789012345680.0, -0.0, 5e-324, 1e22])
TEXTS = st.text() | st.sampled_from(
    ["15e0", "[1e9", ":0.00001", 'a "quoted" one', "5e", "\u2028", "é", "\x7f"]
)
PLAIN = st.none() | st.booleans() | st.integers() | FLOATS | ODD | TEXTS
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@given(VALUES)
@example({"id": "L15e07", "share": 0.25, "many": 1e16})
@examples(300)
def test_indented(value: Any) -> None:
    assert indented(value).decode() == json.dumps(value, ensure_ascii=False, indent=2) + "\n"


@given(VALUES)
@examples(300)
def test_compact(value: Any) -> None:
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert compact(value).decode() == expected
