"""The page "Files of a run"."""

from docs.generate import markdown
from docs.generate.column_list import TABLES, Table
from docs.generate.file_list import FOLDERS, SHARING, Folder

PATH = "reference/run-files.md"
_INTRODUCTION = """Every command writes into the folder or the file that you name, with five
exceptions: `build` writes into `./saved_models` unless `--out` names another folder, commands that
embed images keep a store in `./embeddings` unless `--store` names another, `calibrate --out=OUT`
keeps the check of its images in `OUT.data/`, `prepare --out=DIR` lists bad images in
`DIR.bad_images.csv`, and commands that need no labels list them in `OUT.bad_images.csv`. This page
says what each file is, who reads it, and whether it may leave the hospital. Read `report.html`
first; the numbers behind it are in `results.json`.

Many files of a run directory name patients, so never share the directory. *Share* says which single
files may be given away.

In paths, words in capitals stand for any name. Files that begin with a dot are being written, or
are locks of a running job. Do not remove files of a run that you may want to resume.

The words under *Share* mean:
"""


def pages() -> dict[str, str | bytes]:
    """Returns the page."""
    sharing = "\n".join(f"- *{word}*: {meaning}." for word, meaning in SHARING.items())
    parts = [
        "# Files of a run",
        _INTRODUCTION + "\n" + sharing,
        "The weights of any trained model may reveal something of the images that trained it. "
        "[Security](../security.md) says what the software promises.",
        *map(_folder, FOLDERS),
        "## Columns of tables { #columns }",
        "Parquet and CSV files are tables; an NPZ file holds arrays, and `numpy.load` reads it.",
        *map(_table, TABLES),
    ]
    return {PATH: "\n\n".join(parts) + "\n"}


def _folder(folder: Folder) -> str:
    parts = [f"## {folder.title} {{ #{folder.anchor} }}", folder.text]
    for group, entries in folder.groups.items():
        rows = [
            (
                f"{markdown.breakable(one.path)}<br><small>Share: {one.sharing}</small>",
                f"{markdown.sentence(one.content)}.<br><small>Read by {one.reader}</small>",
            )
            for one in entries
        ]
        parts += [f"### {group}"] * bool(group) + [markdown.table(("File", "What it is"), rows)]
    return "\n\n".join(parts)


def _table(of: Table) -> str:
    rows = [
        (
            f"`{one.name}`<br><small>{one.kind}{', optional' if one.optional else ''}</small>",
            markdown.sentence(one.meaning),
        )
        for one in of.columns
    ]
    table = markdown.table(("Column", "Meaning"), rows)
    return f"### {of.title} {{ #{of.anchor} }}\n\n{of.text}\n\n{table}"
