"""Words for "no value": whole values only, alike for one text and for a column."""

import pandas as pd
import pytest

from remedis.data.tables import missing

NOTHING = ["", " ", "nan", "NaN", "-nan", "NA", "n/a", "N/A", "n.a.", "<NA>", "NULL", "None", "nil"]
NOTHING += ["#N/A", "#NA", "unknown", "UNK", "NaT", "-", "--", "\u2013", "\u2014", "?", "???", "."]
NO_ID = ["#VALUE!", "#REF!", "#NAME?", "ANON", "anonymous", "Anonymised", "ANONYMIZED", "REMOVED"]
NO_ID += ["XXXX", "xxx", "***", "-1", "_", "????", "------", "de-identified", " Anonymous Patient "]
IDS = ["NA12", "12NA", "N", "nano", "Nanette", "0", "000000", "x", "xx", "X1", "none1", "anon-17"]
IDS += ["P-", "-2", "1.5", "\u4e2d", "\u0416", "unknown-3", "Null, Anna", "#1", "A", "S1/none"]


@pytest.mark.parametrize("text", NOTHING)
def test_what_stands_for_nothing_is_missing_everywhere(text):
    assert missing.is_missing(text)
    assert missing.is_missing_id(text)


@pytest.mark.parametrize("text", NO_ID)
def test_what_names_nobody_is_missing_as_an_id_only(text):
    assert not missing.is_missing(text)
    assert missing.is_missing_id(text)


@pytest.mark.parametrize("text", IDS)
def test_ids_stay(text):
    assert not missing.is_missing(text)
    assert not missing.is_missing_id(text)


def test_columns_agree_with_texts():
    texts = pd.Series([*NOTHING, *NO_ID, *IDS, None, float("nan")])
    texts.index += 7
    for column, decide in (
        (missing.known_values, missing.is_missing),
        (missing.known_ids, missing.is_missing_id),
    ):
        known = column(texts)
        assert known.index.equals(texts.index)
        expected = [not isinstance(text, str) or decide(text) for text in texts]
        assert known.isna().tolist() == expected
        assert known.dropna().tolist() == [
            t for t, no in zip(texts, expected, strict=True) if not no
        ]


def test_the_remark_names_the_words():
    assert missing.remark(pd.Series(["p1", "", None, " "])) == ""
    assert missing.remark(pd.Series(["p1", "nan", "nan"])) == "'nan' counts as none"
    assert missing.remark(pd.Series(["ANON ", "nan", ""])) == "'ANON', 'nan' count as none"
