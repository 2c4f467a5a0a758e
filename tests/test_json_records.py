"""The one door for JSON: what is refused, in which words, and what passes unchanged."""

import json
import os
from typing import Annotated

import pytest
from annotated_types import Ge, Le, Len
from typing_extensions import NotRequired, TypedDict

from remedis import json_records
from remedis.errors import Damaged
from remedis.json_records import Expect, Line


class Part(TypedDict):
    name: str
    inside: NotRequired["Part | None"]


class Whole(TypedDict):
    units: Annotated[list[Annotated[int, Ge(1), Le(256)]], Len(0, 4)]
    width: float | None
    part: NotRequired[Part]
    texts: NotRequired[dict[str, Line]]
    pair: NotRequired[Annotated[list[int], Expect("an ordered pair", lambda of: of == sorted(of))]]


def parse(text):
    return json_records.parse(text, Whole, "FILE", "copy it again")


def valid(**changes):
    return json.dumps({"units": [3, 4], "width": 1, **changes})


GOOD = {
    "as written": valid(),
    "a later version's key": valid(later={"a": [1, None, True]}),
    "a byte order mark": b"\xef\xbb\xbf" + valid().encode(),
    "UTF-8": valid(texts={"Ödem": "浮腫"}).encode(),
    # A file name that is not UTF-8, as Python and our writers spell it.
    "a lone surrogate": valid(texts={"\udcff": "\udcff"}),
    "a chain of 40 trainings": valid(
        part=json.loads('{"name": "a", "inside": ' * 40 + "null" + "}" * 40)
    ),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_a_good_record_passes_as_it_is(text):
    plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    assert parse(text) == json.loads(plain)


BAD = {
    "empty": ("", "it is empty"),
    "blank": (" \n", "it is empty"),
    "half": (valid()[:20], "it is not JSON, "),
    "binary": (b"\x89PNG\r\n\x1a\n\0", "it is not text in UTF-8"),
    "UTF-16": (valid().encode("utf-16"), "it is not text in UTF-8"),
    "null bytes": ("\0" * 10, "it is not JSON, expecting value in line 1, column 1"),
    "two records": (valid() + valid(), "it is not JSON, extra data in line 1"),
    "a list": ("[1]", "it is a list, expected an object"),
    "null": ("null", "it is null, expected an object"),
    "a record of another kind": ('{"score": 1}', "it has no key 'units'"),
    "NaN": (valid(later=float("nan")), "NaN is not a number in JSON"),
    "infinity": (valid(later=float("-inf")), "-Infinity is not a number in JSON"),
    "an overflow": ('{"a": 1e999}', "the number 1e999 is too large"),
    "500 digits": ('{"a": ' + "9" * 500 + "}", f"the number {'9' * 60}... is too large"),
    "50,000 digits": ('{"a": ' + "9" * 50_000 + "}", f"the number {'9' * 60}... is too large"),
    "a key twice": ('{"units": [1], "units": [2]}', "the key 'units' occurs twice"),
    "deep lists": ("[" * 200 + "]" * 200, "it is nested more than 100 levels deep"),
    "endless lists": ("[" * 100_000, "it is nested more than 100 levels deep"),
    "deep objects": ('{"a":' * 9_000 + "1" + "}" * 9_000, "it is nested more than 100 levels"),
    "too large": (valid(units=[1, 10**9]), "units[1] is 1000000000, expected 256 or less"),
    "too small": (valid(units=[0]), "units[0] is 0, expected 1 or more"),
    "true": (valid(units=[True]), "units[0] is true, expected a whole number"),
    "a broken number": (valid(units=[1.5]), "units[0] is 1.5, expected a whole number"),
    "a number as text": (valid(width="1"), "width is '1', expected a number"),
    "too many": (valid(units=[1] * 5), "units has 5 values, expected at most 4"),
    "no list": (valid(units={"0": 1}), "units is an object, expected a list"),
    "deep inside": (valid(part={"name": "a", "inside": {"name": 3}}), "part.inside.name is 3, "),
    "lacking inside": (valid(part={"name": "a", "inside": {}}), "part.inside has no key 'name'"),
    "a key with spaces": (valid(texts={"a b": 3}), "texts['a b'] is 3, expected a text"),
    "a long text": (valid(texts={"a": "x" * 10_001}), f"texts.a is '{'x' * 60}...', expected a t"),
    "an expectation": (valid(pair=[2, 1]), "pair is a list, expected an ordered pair"),
}


@pytest.mark.parametrize(("text", "fault"), BAD.values(), ids=list(BAD))
def test_a_bad_record_is_refused_in_one_short_sentence(text, fault):
    with pytest.raises(Damaged) as caught:
        parse(text)
    said = str(caught.value)
    assert said.startswith(f"FILE is damaged ({fault}")
    assert said.endswith("); copy it again.")
    assert len(said) < 250
    assert said.isprintable()


def test_the_number_of_values_is_bounded(monkeypatch):
    monkeypatch.setattr(json_records, "MAX_VALUES", 10)
    with pytest.raises(Damaged, match="more than 10 values"):
        parse(valid(later=[[]] * 11))


def test_a_file_is_a_regular_one_of_limited_size(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(valid())
    assert json_records.read(file, Whole, "x")["units"] == [3, 4]
    with pytest.raises(Damaged, match="expected at most 10"):
        json_records.read(file, Whole, "copy it again", max_bytes=10)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(Damaged, match=r"pipe\.json is damaged \(a pipe"):
        json_records.read(tmp_path / "pipe.json", Whole, "copy it again")
    with pytest.raises(Damaged, match="Is a directory"):
        json_records.read(tmp_path, Whole, "copy it again")
    with pytest.raises(FileNotFoundError):
        json_records.read(tmp_path / "none.json", Whole, "copy it again")


def test_lines_leave_out_what_cannot_be_read(tmp_path, caplog):
    file = tmp_path / "a.jsonl"
    assert json_records.lines(file, Whole) == []
    # A kill may cut off the last line, which nobody has to know.
    for end in ("", valid()[:-3], valid()[:1]):
        file.write_text(f"{valid()}\n{valid(width=2)}\n{end}")
        assert [row["width"] for row in json_records.lines(file, Whole)] == [1, 2]
    file.write_text(f"{valid()}\n{valid(width=2)}")  # whole, without the end of the line
    assert len(json_records.lines(file, Whole)) == 2
    assert not caplog.messages
    file.write_bytes(valid().encode() + b'\n{"units"\n\xff\n[]\n' + valid(width=4).encode())
    assert [row["width"] for row in json_records.lines(file, Whole)] == [1, 4]
    (said,) = caplog.messages
    assert said.startswith(f"3 lines left out: {file}, line 2 is damaged (it is not JSON, ")
