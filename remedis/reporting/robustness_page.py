"""The page of a corruption sweep: result, curves, tables and a contact sheet."""

import base64

import rich.table

from remedis.evaluation.corrupted_scores import CellRecord, RobustnessRecord
from remedis.reporting import page_template, results_table
from remedis.reporting.figures import RED
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.page_content import Drawing, Table
from remedis.reporting.robustness_answer import (
    READING,
    answers,
    interval,
    parameters,
    signed,
)
from remedis.reporting.robustness_curves import corruptions, cosine_curves, metric_curves
from remedis.reporting.svg import inline_svg

_NAMES = {
    "auroc": "AUROC",
    "brier": "Brier score",
    "calibration_error": "ECE",
    "calibration_slope": "slope",
    "calibration_intercept": "intercept",
}


def page(record: RobustnessRecord, sheet: bytes) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      record: of the sweep.
      sheet: the contact sheet, a PNG file.
    """
    rendered = (
        page_template.environment()
        .get_template("robustness.html.jinja")
        .render(
            red=RED,
            research_use=RESEARCH_USE,
            title=record["title"],
            warnings=[f"{RANDOM_WEIGHTS}."] if record["random_weights"] else [],
            answer=answers(record),
            reading=READING,
            notes=record["notes"],
            drawings=_drawings(record),
            tables=tables(record),
            parameters=parameters(corruptions(record)),
            sheet=f"data:image/png;base64,{base64.b64encode(sheet).decode()}",
        )
    )
    return page_template.unbroken(rendered)


def _drawings(record: RobustnessRecord) -> list[Drawing]:
    if not corruptions(record):
        return []
    figures = (
        ("auroc", "How well classes are told apart", metric_curves(record, "auroc")),
        (
            "calibration_error",
            "Whether probabilities are right",
            metric_curves(record, "calibration_error"),
        ),
        ("cosine", "How far embeddings move", cosine_curves(record)),
    )
    return [inline_svg(figure, name, f"{words}.", words) for name, words, figure in figures]


def tables(record: RobustnessRecord) -> list[Table]:
    """Returns the tables: means over the labels, calibration, and each label's change."""
    several = len(record["labels"]) > 1
    mean = "mean over the labels" if several else record["labels"][0]
    found = [
        Table(
            f"AUROC and embeddings, {mean}: 95 % intervals by patient, changes paired.",
            ["", "AUROC", "change", "cosine of embeddings"],
            [
                [
                    _row(cell),
                    interval(cell["metrics"]["auroc"]["mean"]["estimate"]),
                    signed(cell["metrics"]["auroc"]["mean"]["change"]),
                    interval(cell["cosine"]),
                ]
                for cell in record["cells"]
            ],
            "estimates",
        )
    ]
    calibration = [name for name in _NAMES if name != "auroc"]
    found.append(
        Table(
            f"Calibration, {mean}. Brier score and ECE: lower is better; slope: 1 is best, "
            "intercept: 0.",
            ["", "Brier score", "change", *(_NAMES[name] for name in calibration[1:])],
            [
                [
                    _row(cell),
                    interval(cell["metrics"]["brier"]["mean"]["estimate"]),
                    signed(cell["metrics"]["brier"]["mean"]["change"]),
                    *(
                        interval(cell["metrics"][name]["mean"]["estimate"])
                        for name in calibration[1:]
                    ),
                ]
                for cell in record["cells"]
            ],
            "estimates",
        )
    )
    if several:
        rows = [
            [
                _row(cell),
                *(
                    signed(cell["metrics"]["auroc"]["labels"][name]["change"])
                    for name in record["labels"]
                ),
            ]
            for cell in record["cells"][1:]
        ]
        caption = "AUROC of each label: corrupted minus clean."
        found.append(Table(caption, ["", *record["labels"]], rows, "estimates"))
    return found


def _row(cell: CellRecord) -> str:
    if cell["corruption"] == "clean":
        return "clean"
    value = "" if cell["value"] is None else f" ({cell['value']:g})"
    return f"{cell['corruption']} {cell['strength']}{value}"


def printed(table: Table) -> rich.table.Table:
    """Returns a table for a terminal."""
    made = results_table.empty(table.caption, table.header[0])
    for name in table.header[1:]:
        made.add_column(name, no_wrap=True)
    for row in table.rows:
        made.add_row(*row)
    return made
