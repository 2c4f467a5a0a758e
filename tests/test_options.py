"""Options written as text: the one parser of all of them."""

import pytest

from remedis.errors import UserError
from remedis.options import items, literals, pairs, values_by_name

EXPECTED = "NAME=VALUE, as in 'a=b'"


def test_items_are_stripped_and_empty_ones_left_out():
    assert items(" a ;; b ; ") == ["a", "b"]
    assert items("a, b", ",") == ["a", "b"]
    assert items("  ") == []


def test_the_first_sign_divides_or_the_last():
    assert pairs("a = b=c; d=e", what="x", expected=EXPECTED) == [("a", "b=c"), ("d", "e")]
    assert pairs("a=b=2", what="x", expected=EXPECTED, at_last=True) == [("a=b", "2")]
    assert pairs("a: b, c: d", what="x", expected=EXPECTED, sign=":", separator=",") == [
        ("a", "b"),
        ("c", "d"),
    ]


@pytest.mark.parametrize("part", ["a", "a=", "=b", "="])
def test_a_part_that_is_no_pair_is_named(part):
    with pytest.raises(UserError) as raised:
        pairs(f"x=y; {part}", what="config.arms", expected=EXPECTED)
    assert str(raised.value) == f"config.arms has {part!r}; expected {EXPECTED}."


def test_literals_are_values_and_everything_else_is_text():
    assert literals(["views=frontal", " centres = (1, 2)", "a==b", "", "empty="], "x") == {
        "views": "frontal",
        "centres": (1, 2),
        "a": "=b",
        "empty": "",
    }
    with pytest.raises(UserError, match=r"^--option has 'root'; expected KEY=VALUE\.$"):
        literals(["root"], "--option")


def test_values_by_name_divide_outside_quotes_and_brackets():
    text = 'a b: x=1, y=\'p; q, r\', z=(2, 3); c: w=some/path, v={"train": 0.5, "test": 0.5}'
    assert values_by_name(text, what="x", expected=EXPECTED) == {
        "a b": {"x": 1, "y": "p; q, r", "z": (2, 3)},
        "c": {"w": "some/path", "v": {"train": 0.5, "test": 0.5}},
    }
    assert values_by_name(" ", what="x", expected=EXPECTED) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", f"config.x has 'a'; expected {EXPECTED}."),
        ("a:", f"config.x has 'a:'; expected {EXPECTED}."),
        ("a: b", "config.x has 'b'; expected KEY=VALUE."),
        ("a: b=1; a: c=2", "config.x names 'a' twice; write all of its keys behind one colon."),
        ("a: b=1, b=2", "config.x has 'a: b=1, b=2', in which a key stands twice; write it once."),
        ("a: b='1", 'config.x is "a: b=\'1", in which a quote or a bracket is not closed; exp'),
        ("a: b=(1", "config.x is 'a: b=(1', in which a quote or a bracket is not closed; expec"),
    ],
)
def test_malformed_values_by_name_are_a_sentence(text, message):
    with pytest.raises(UserError) as raised:
        values_by_name(text, what="config.x", expected=EXPECTED)
    assert str(raised.value).startswith(message)
