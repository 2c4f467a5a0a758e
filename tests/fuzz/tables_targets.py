"""Tables of text: as read for every source, as a manifest, and by `remedis manifest`."""

import gzip
import pathlib
from collections.abc import Callable
from typing import TypeVar

import harness
from hypothesis import strategies as st

from remedis.data import manifest, own_table
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError

T = TypeVar("T")

OWN = (
    "path,patient_id,study_id,site,split,sex,age,mpp,view,ill\n"
    "a.png,p1,s1,A,train,F,61,0.5,PA,1\nb.png,p2,s2,B,test,M,058Y,,AP,0\n"
    "c.h5#3,p3,s3,B,,,6M,,LATERAL,\n"
)
HOSPITAL = (
    "Patient ID;Datei;Geschlecht;Alter;Erguss;Bemerkung\r\n"
    '0001;D:\\PACS\\1.png;W;61,5;Ja;"ein; zwei"\r\n'
    "0002;D:\\PACS\\2.png;M;7;Nein;gr\u00f6\u00dfer\r\n"
)
SEEDS = (
    OWN.encode(),
    HOSPITAL.encode("utf-8-sig"),
    HOSPITAL.encode("cp1252"),
    HOSPITAL.encode("utf-16"),
    OWN.replace(",", "\t").encode(),
    b"sep=|\n" + OWN.replace(",", "|").encode(),
)


def read_plain(contents: bytes, folder: pathlib.Path) -> None:
    read_each(contents, folder / "table.csv")


def read_compressed(contents: bytes, folder: pathlib.Path) -> None:
    read_each(contents, folder / "table.csv.gz")


def read_each(contents: bytes, path: pathlib.Path) -> None:
    """Reads a file in every way; raises the error of the plainest if it refuses the file."""
    path.write_bytes(contents)
    (path.parent / "a.png").touch()
    for labels in (("ill",), ("Erguss",)):
        refused(manifest.read_csv, path, labels)
    for stated in (None, ("ill",)):
        own = refused(own_table.read, path, labels=stated)
        if own is not None:
            for problem in own.problems:
                assert_short(problem.sentence)
            if own.is_sound:
                own_table.write(own, path.parent / "manifest.csv")
    table = spreadsheet.read_table(path)
    assert len(table) > 0
    assert table.index[0] >= 2
    for name in table:
        for parse in PARSERS:
            refused(parse, path, table[name])


PARSERS = (
    *(columns.labels, columns.splits, columns.sexes, columns.ages, columns.mpps, columns.flags),
    columns.ids,
)


def refused(read: Callable[..., T], *arguments: object, **named: object) -> T | None:
    """Returns a result, None if the input is refused in a short sentence."""
    try:
        return read(*arguments, **named)
    except UserError as error:
        message = str(error)
    assert_short(message)
    return None


def assert_short(sentence: str) -> None:
    assert len(sentence) < 3000, f"{len(sentence):,} characters: {sentence[:200]}"


VALUES = st.one_of(
    st.sampled_from(
        (
            *("", " ", "1", "0", "-1", "1.0", "0,0", "nan", "NA", "?", "-", "--", "inf", "1e400"),
            *(
                "9" * 30,
                "9" * 400,
                "\u00b2",
                "\u0661",
                "1_0",
                "0x1",
                "1.5e+11",
                "1,5",
                "1.5",
                "90+",
            ),
            *("058Y", ">89", "Y", "F", "W", "H", "+", "Ja", "unklar", "train", "val set", "a.png"),
            *(
                "a/b.png",
                "D:\\x\\a.png",
                "../a.png",
                "/etc/passwd",
                "a.h5#1",
                "#",
                "\u2028",
                "\x85",
            ),
            *(
                "a" * 300,
                "/" * 5000,
                "=1+1",
                "\x1b[31m",
                "\u202e",
                "x,y",
                "x;y",
                'x"y',
                "x\ny",
                "\r",
            ),
        )
    ),
    st.text(max_size=12),
)
NAMES = st.one_of(
    st.sampled_from(
        (
            *(
                "path",
                "patient_id",
                "study_id",
                "site",
                "split",
                "sex",
                "age",
                "mpp",
                "view",
                "ill",
            ),
            *(
                "slide_id",
                "any_label",
                "Path",
                "Datei",
                "Patient ID",
                "Alter",
                "row",
                "index",
                "0",
                "",
            ),
            *("label/ill", "images", "Erguss", "name", "ill ", "ILL", "f0", "level_0"),
        )
    ),
    st.text(max_size=8),
)


def quoted(text: str, separator: str) -> str:
    if any(mark in text for mark in (separator, '"', "\n", "\r")):
        text = '"' + text.replace('"', '""') + '"'
    return text


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Draws a table of unusual names and values; some rows may not fit."""
    names = draw(st.lists(NAMES, min_size=1, max_size=8))
    values = st.lists(VALUES, min_size=len(names), max_size=len(names))
    rows = draw(
        st.lists(st.one_of(values, values, values, st.lists(VALUES, max_size=9)), max_size=5)
    )
    separator = draw(st.sampled_from((",", ",", ";", "\t", "|")))
    end = draw(st.sampled_from(("\n", "\n", "\r\n", "\r", "\n\n", "\n\r")))
    lines = [separator.join(quoted(text, separator) for text in row) for row in (names, *rows)]
    text = end.join(lines) + draw(st.sampled_from((end, "")))
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")))
    return text.encode(encoding, errors="replace")


TARGETS = {
    "tables": harness.Target(lambda: SEEDS, read_plain, drawn=tables()),
    "compressed tables": harness.Target(
        lambda: [gzip.compress(seed, mtime=0) for seed in SEEDS],
        read_compressed,
        drawn=tables().map(lambda contents: gzip.compress(contents, 1, mtime=0)),
    ),
}
