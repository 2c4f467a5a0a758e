"""The doctor's diagnosis of data: tables of counts, then findings and the verdict."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.data import source_names
from remedis.data.checks.doctor import ERROR, NOTE, WARNING, Diagnosis
from remedis.data.checks.doctor.diagnosis import SEVERITIES, Rows
from remedis.errors import counted
from remedis.reporting.notes import RANDOM_WEIGHTS

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
    "bits": "Bit depth",
}
_BARS = " ▁▂▃▄▅▆▇█"
_MAX_LISTED = 3  # unreadable images
_TEXT_COLUMNS = ("label", "split", "sex", "view", "site", "looks")  # the others are numbers


def diagnosis_report(diagnosis: Diagnosis) -> RenderableType:
    """Returns tables first, then findings; the worst stand last, where a terminal shows them."""
    # The source of a table is its path; others need the directory beside their name.
    place = diagnosis.source
    if place in source_names.NAMES:
        place = f"{diagnosis.directory}, source {place}"
    heading = f"{counted(diagnosis.images, 'image')} of {place}"
    if diagnosis.checkpoint is not None:
        heading += f", for {diagnosis.checkpoint.name}"
    lines: list[RenderableType] = [Text(heading, style="bold")]
    for name, title in _TITLES.items():
        if rows := diagnosis.tables.get(name):
            lines.append(_table(title, _by_label(rows) if name == "labels" else rows))
    if bins := diagnosis.tables.get("histogram"):
        lines.append(_histogram(bins))
    if diagnosis.checkpoint is not None and diagnosis.checkpoint.random:
        lines.append(Text(RANDOM_WEIGHTS, style="bold red"))
    lines.append("")
    for finding in sorted(diagnosis.findings, key=lambda f: -SEVERITIES.index(f.severity)):
        style = _STYLES[finding.severity]
        lines.append(Text.assemble((f"{finding.severity}: ", style), finding.sentence))
        # Other findings name their first images in the sentence. This one also has a fault per
        # image.
        if finding.code == "unreadable":
            lines += [Text(f"  {line}") for line in finding.listed[:_MAX_LISTED]]
            if len(finding.listed) > _MAX_LISTED:
                lines.append(Text("  ... more with --json", style="dim"))
    return Group(*lines, Text(_verdict(diagnosis), style="bold"))


def _verdict(diagnosis: Diagnosis) -> str:
    counts = [
        (sum(f.severity == severity for f in diagnosis.findings), severity)
        for severity in (ERROR, WARNING)
    ]
    numbers = [counted(n, severity) for n, severity in counts if n]
    return f"{' and '.join(numbers)}." if numbers else "Nothing wrong was found."


def _by_label(rows: Rows) -> Rows:
    """Returns one row per label, with its splits side by side."""
    labels: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = row["positive"] + row["negative"]
        counts = f"{row['positive']:,} of {known:,} ({row['positive_patients']:,})"
        label = labels.setdefault(row["label"], {"label": row["label"]})
        label[row["split"]] = counts
    for row in rows:  # in a second loop, so that these columns follow those of the splits
        label = labels[row["label"]]
        for kind in ("uncertain", "unknown"):
            label[kind] = label.get(kind, 0) + row[kind]
    return tuple(labels.values())


def _table(title: str, rows: Rows) -> Table:
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        left = name in _TEXT_COLUMNS
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
    highest = max(shares) or 1.0
    bars = "".join(_BARS[round(share / highest * (len(_BARS) - 1))] for share in shares)
    return Text(f"Values  0 |{bars}| 1   mean share of pixels, highest {highest:.1%}")
