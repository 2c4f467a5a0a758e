"""Counts of the budgets and the data sets, and the receipts of the leak gate."""

from remedis.reporting.label_budget_report.number_format import listed, three_decimals
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    first_hospital,
    hospital,
    mode_name,
)
from remedis.reporting.leak_receipt import receipt
from remedis.reporting.page_content import DataSet, Receipt, Table

_SPLITS = {"pool": "can be labelled"}


def budget_table(study: Study) -> Table:
    """Returns patients, images and positive patients of every budget."""
    budgets = study["budgets"]

    def row(name: str, values: list[int | None]) -> list[str]:
        return [name, *("" if value is None else f"{value:,}" for value in values)]

    header = ["", *(b["budget"] + (", left out" if b["left_out"] else "") for b in budgets)]
    rows = [row(name, [b[name] for b in budgets]) for name in ("patients", "images")]
    for label in study["labels"]:
        rows.append(row(f"patients with {label}", [b["positives"].get(label) for b in budgets]))
    return Table(f"Budgets of labelled patients of {hospital(study)}.", header, rows, "numbers")


def budgets_left_out(study: Study) -> list[str]:
    """Returns the reason for each budget that was left out."""
    return [f"{b['budget']}: {b['left_out']}" for b in study["budgets"] if b["left_out"]]


def data_sets(study: Study) -> list[DataSet]:
    """Returns the counts of both data sets by split, with the receipt of each leak check."""
    roles = {"id": "arms are trained here first", "ood": "arms are adapted and tested here"}
    quantities = {"patients": "patients", "images": "images"} | {
        label: f"images with {label}" for label in study["labels"]
    }
    result = []
    for key, data in study["data"].items():
        counts = data["counts"]
        rows = [
            [text, *(f"{count[name]:,}" if name in count else "" for count in counts.values())]
            for name, text in quantities.items()
        ]
        caption = f"Splits of {data['name']} (source {data['source']})."
        result.append(
            DataSet(
                f"{data['name']}: {roles.get(key, key)}",
                Table(
                    caption, ["", *(_SPLITS.get(name, name) for name in counts)], rows, "numbers"
                ),
                data.get("label_notes", ()),
                receipt(data["leaks"]),
            )
        )
    return result


def uncertain_table(study: Study) -> Table | None:
    """Returns each arm's AUROC by what uncertain test labels count as; None if there are none."""
    rows = study.get("uncertain_labels", ())
    if not rows:
        return None
    first = rows[0]
    caption = (
        "Mean AUROC with all labelled patients by what the uncertain labels of "
        f"{first['images']:,} test images count as, over {listed(first['labels'])} (95 % interval "
        "over patients and seeds)."
    )
    return Table(
        caption,
        ["arm", "adaptation", "ignored", "negative", "positive"],
        [
            [row["arm"], mode_name(row["mode"])]
            + [three_decimals(row[way]) for way in ("ignore", "zeros", "ones")]
            for row in rows
        ],
    )


def receipt_between(study: Study) -> Receipt | None:
    """Returns the receipt of the check between the hospitals, with their names."""
    found = receipt(study["between"])
    if found is None:
        return None
    there, here = first_hospital(study), hospital(study)
    names = {
        "ID train": f"images of {there} that train",
        "OOD pool": f"images of {here} that adapt",
        "OOD test": f"test images of {here}",
        "ID and OOD data": f"{there} and {here}",
    }
    lines = []
    for line in found.lines:
        for role, name in names.items():
            line = line.replace(role, name)
        lines.append(line)
    return Receipt(found.passed, lines)
