"""The doctor's findings, for a terminal."""

import pathlib
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remedis import files
from remedis.data.checks.doctor import ERROR, NOTE, WARNING, Diagnosis, Expectation
from remedis.data.checks.doctor.diagnosis import SEVERITIES, Rows
from remedis.reporting import terminal
from remedis.reporting.notes import RANDOM_WEIGHTS
from remedis.zoo import names, records

_STYLES = {ERROR: "bold red", WARNING: "yellow", NOTE: "dim"}
_TITLES = {
    "splits": "Splits",
    "labels": "Labels, positive of known images (positive patients)",
    "sex": "Sex, images",
    "view": "View, images",
    "site": "Site, images",
    "age": "Age, years",
    "sizes": "Sizes, pixels",
    "channels": "Channels",
    "bits": "Bits a channel",
}
_BARS = " ▁▂▃▄▅▆▇█"
_PATHS = 3
# Columns of names; the others are numbers.
_NAMES = ("label", "split", "sex", "view", "site", "looks")


def expectation(checkpoint: files.Path) -> Expectation:
    """Returns what a checkpoint folder expects of images.

    Raises:
      UserError: the folder is no SavedModel folder.
    """
    from remedis.zoo import checkpoint as folders  # loads Keras

    description = folders.describe(checkpoint)
    name = pathlib.Path(checkpoint).resolve().name
    if description is None:
        known = name
    else:
        known = (description.record or {}).get("name", description.name)
    data_type = names.parse(known).data_type if known in names.NAMES else None
    return Expectation(
        name=name,
        data_type=data_type,
        input_size=None if data_type is None else records.INPUT_SIZE[data_type],
        value_range=(0.0, 1.0) if description is None else description.value_range,
        labels=() if description is None else description.labels,
        random=description is not None and description.provenance.random,
    )


def print_diagnosis(diagnosis: Diagnosis, console: Console | None = None) -> None:
    """Prints tables first, then findings, the worst of them last, where the eye rests."""
    console = console or terminal.console()
    heading = f"{diagnosis.images:,} images of {diagnosis.source}"
    if diagnosis.checkpoint is not None:
        heading += f", for {diagnosis.checkpoint.name}"
    console.print(Text(heading, style="bold"), highlight=False)
    for name, title in _TITLES.items():
        if diagnosis.tables.get(name):
            rows = diagnosis.tables[name]
            console.print(_table(title, _by_label(rows) if name == "labels" else rows))
    if bins := diagnosis.tables.get("histogram"):
        console.print(_histogram(bins))
    if diagnosis.checkpoint is not None and diagnosis.checkpoint.random:
        console.print(Text(RANDOM_WEIGHTS, style="bold red"))
    console.print()
    for finding in sorted(diagnosis.findings, key=lambda f: -SEVERITIES.index(f.severity)):
        style = _STYLES[finding.severity]
        console.print(
            Text.assemble((f"{finding.severity}: ", style), finding.sentence), highlight=False
        )
        # The sentences name the first images themselves, but not what is wrong with each.
        if finding.code == "unreadable":
            for line in finding.listed[:_PATHS]:
                console.print(Text(f"  {line}"), highlight=False)
            if len(finding.listed) > _PATHS:
                console.print(Text("  ... more with --json", style="dim"))
    console.print(Text(_verdict(diagnosis), style="bold"))


def _verdict(diagnosis: Diagnosis) -> str:
    counts = [
        (sum(f.severity == severity for f in diagnosis.findings), severity)
        for severity in (ERROR, WARNING)
    ]
    said = [f"{n} {severity}{'s' if n > 1 else ''}" for n, severity in counts if n]
    return f"{' and '.join(said)}." if said else "Nothing wrong was found."


def _by_label(rows: Rows) -> Rows:
    """Returns one row a label, with its splits side by side."""
    labels: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = row["positive"] + row["negative"]
        counts = f"{row['positive']:,} of {known:,} ({row['positive_patients']:,})"
        of_label = labels.setdefault(row["label"], {"label": row["label"]})
        of_label[row["split"]] = counts
    for row in rows:  # behind the splits
        of_label = labels[row["label"]]
        for kind in ("uncertain", "unknown"):
            of_label[kind] = of_label.get(kind, 0) + row[kind]
    return tuple(labels.values())


def _table(title: str, rows: Rows) -> Table:
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        left = name in _NAMES
        table.add_column(
            Text(name), justify="left" if left else "right", overflow="fold", no_wrap=not left
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _histogram(bins: Rows) -> Text:
    shares = [row["share"] for row in bins]
    top = max(shares) or 1.0
    bars = "".join(_BARS[round(share / top * (len(_BARS) - 1))] for share in shares)
    return Text(f"Values  0 |{bars}| 1   mean share of pixels, highest {top:.1%}")
