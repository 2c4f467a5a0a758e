"""Ids in other spellings: recognised whatever the spelling, and never merged if distinct."""

import random
import unicodedata

import pandas as pd
import pytest

from remedis.data import canonical_ids
from remedis.data.canonical_ids import alike, canonical, spelling
from remedis.evaluation.intervals import patient_codes

SAME = {
    "P007": [
        *("P007 ", "\tP007\r\n", '"P007"', "'P007'", '="P007"', "'P007", "P\u200b007"),
        *("\ufeffP007", "P007\x00", "\u201cP007\u201d", "' P007 '", "\uff30\uff10\uff10\uff17"),
        *("P0\u00ad07", "P007\ufe0f", "\u2066P007\u2069", '" ="P007" "'),
    ],
    "J\u00f6rg": ["Jo\u0308rg", "Jo\u200d\u0308rg", " Jo\u0308rg\u3000"],
    "\ud55c": ["\u1112\u1161\u11ab"],
    "a b": ["a\u00a0b", "a  b", "a\tb"],
    "\u30ac1": ["\uff76\uff9e1"],
}
SIMILAR = [
    ("007", "7"),
    ("007", "7.0"),
    ("007", "7,0"),
    ("7", "7."),
    ("P007", "P7"),
    ("P007", "p007"),
    ("S1-01", "s1-1"),
    ("stra\u00dfe1", "STRASSE1"),
    ("x\u00b2", "x2"),
    ("\u2167", "VIII"),
]
DISTINCT = ["P001", "P0010", "P100", "P1000", "P1-1", "P11", "Q001", "10", "100", "1", "0"]
DISTINCT += [
    "1.2.840.0",
    "1.2.840",
    "1.2.84",
    "7.5",
    "75",
    "7.0.0",
    "7,5",
    "P00",
    "P",
    "1/2",
    "12",
    "o1",
]


@pytest.mark.parametrize("expected", SAME)
def test_what_no_reader_can_tell_apart_is_one_id(expected):
    assert canonical(expected) == expected
    assert {canonical(text) for text in SAME[expected]} == {expected}


@pytest.mark.parametrize("pair", SIMILAR, ids=str)
def test_zeros_point_zero_and_case_are_similar_and_not_the_same(pair):
    first, second = map(canonical, pair)
    assert first != second
    assert alike([first], [second]) == [(first, second)]
    assert alike(pair) == [tuple(sorted((first, second)))]


def test_distinct_ids_are_neither_merged_nor_similar():
    assert len({canonical(name) for name in DISTINCT}) == len(DISTINCT)
    assert alike(DISTINCT) == []
    assert alike(f"P{i}" for i in range(2000)) == []


def test_three_spellings_give_two_pairs():
    assert alike(["7", "007", "07", "8"]) == [("007", "07"), ("007", "7")]
    assert alike(["7", "x"], ["7", "07", "8"]) == [("7", "07")]


def rewritten(text: str, draw: random.Random) -> str:
    """Returns an id in a random spelling that no reader can tell apart from it."""
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(text))
        text = draw.choice(
            [
                text[:at] + draw.choice("\u200b\u200d\ufeff\u00ad\x00\u2060\ufe0e") + text[at:],
                unicodedata.normalize(draw.choice(("NFC", "NFD")), text),
                draw.choice(" \t\u00a0\u3000\n") + text,
                text + draw.choice(" \r\n"),
                draw.choice(('"{}"', "'{}'", "\u201e{}\u201c", "'{}", '="{}"')).format(text),
                "".join(
                    chr(ord(c) + 0xFEE0) if "!" < c < "~" and draw.random() < 0.5 else c
                    for c in text
                ),
            ]
        )
    return text


def test_random_spellings_are_always_recognised():
    draw = random.Random(0)
    letters = "ABCxyz0123456789-_./\u00f6\u00e9\u00f1\u4e2d\ud55c"
    for _ in range(3000):
        name = "".join(draw.choices(letters, k=draw.randint(1, 10)))
        spelt = rewritten(name, draw)
        assert canonical(spelt) == canonical(name), (name, spelt)
        assert canonical(canonical(spelt)) == canonical(spelt)
        loose = spelling(canonical(spelt))
        assert spelling(loose) == loose or "." in loose
        other = draw.choice((name.swapcase(), "00" + name if name[0].isdigit() else name.upper()))
        assert spelling(canonical(rewritten(other, draw))) == loose


def test_random_texts_have_a_canonical_form():
    draw = random.Random(1)
    for _ in range(3000):
        text = "".join(chr(draw.choice((draw.randrange(0x250), draw.randrange(0x2100, 0xD7FF))))
                       for _ in range(draw.randint(0, 6)))  # fmt: skip
        once = canonical(text)
        assert canonical(once) == once, ascii(text)
        assert once == once.strip()


def test_random_numbers_are_similar_only_if_they_are_equal():
    draw = random.Random(2)
    numbers = [draw.randrange(10 ** draw.randint(1, 8)) for _ in range(500)]
    forms = ("{}", "{:09d}", "{}.0", " {} ")
    names = {canonical(draw.choice(forms).format(n)): n for n in numbers for _ in range(3)}
    assert all(names[a] == names[b] for a, b in alike(names))
    pairs = len(names) - len(set(names.values()))
    assert len(alike(names)) == pairs > 100


def test_columns_keep_missing_ids_and_blank_ones_are_missing():
    column = canonical_ids.column(pd.Series(["a", None, " ", '"b"', "\u200b", float("nan"), "'"]))
    assert column.dropna().tolist() == ["a", "b"]
    assert column.isna().tolist() == [False, True, True, False, True, True, True]


def test_words_for_nobody_are_no_ids():
    names = ["nan", "N/A", "\uff2e\uff21", '"ANON"', "'unknown\u200b'", "P1"]
    assert canonical_ids.column(pd.Series(names)).isna().tolist() == [True] * 5 + [False]
    assert canonical_ids.column(pd.Series(["p1", "NULL"])).isna().tolist() == [False, True]
    assert patient_codes(["nan", "nan", "ANON", None, "a"]).tolist() == [1, 2, 3, 4, 0]


def test_patient_codes_follow():
    assert patient_codes(["a", " a", "b\u200b", "b", "A"]).tolist() == [1, 1, 2, 2, 0]
