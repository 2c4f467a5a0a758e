"""The result of a corruption sweep in words."""

from remedis.errors import counted
from remedis.evaluation.corrupted_scores import CellRecord, ChangeRecord, RobustnessRecord
from remedis.evaluation.intervals import EstimateRecord
from remedis.preprocess.corruptions import CORRUPTIONS
from remedis.reporting.robustness_curves import corruptions, of_corruption

READING = (
    "A corruption changes the image as it is stored, before the model's own preprocessing. The "
    "same image always has the same corruption.",
    "Intervals are by patient. A change is paired: corrupted minus clean on the same images. Its "
    "interval does not cover another training.",
    "A corruption is not a scanner: a model that withstands all of them may still fail in another "
    "hospital, and one that fails under strong noise may never meet such noise.",
)


def answers(record: RobustnessRecord) -> list[str]:
    """Returns what the sweep shows, most important first."""
    cells = [cell for cell in record["cells"][1:] if cell["strength"]]
    if not cells:
        return ["No corruption of a strength above 0 was measured."]
    return [*_auroc(record, cells), *_calibration(cells), *_cosine(record, cells)]


def _auroc(record: RobustnessRecord, cells: list[CellRecord]) -> list[str]:
    changes = {id(cell): _change(cell, "auroc") for cell in cells}
    known = [cell for cell in cells if changes[id(cell)]["difference"] is not None]
    clean = record["cells"][0]["metrics"]["auroc"]["mean"]["estimate"]
    if not known:
        reason = clean.get("reason") or "no label is estimable"
        return [f"The AUROC is not estimable ({reason}), so that no loss of it can be."]
    worst = min(known, key=lambda cell: changes[id(cell)]["difference"] or 0.0)
    change, after = changes[id(worst)], worst["metrics"]["auroc"]["mean"]["estimate"]
    of = "AUROC" if len(record["labels"]) == 1 else "mean AUROC"
    if (change["difference"] or 0.0) < 0:
        found = [
            f"The {of} of {interval(clean)} falls most under {named(worst)}: to "
            f"{interval(after)}, a change of {signed(change)}."
        ]
    else:
        found = [f"The {of} of {interval(clean)} falls under no corruption."]
    lower, at_some, not_lower = [], [], []
    for name in corruptions(record):
        first, strengths = _first_lower(record, name), _lower_at(record, name)
        if first is not None:
            where = f"from strength {first} on" if first > 1 else "at every strength"
            lower.append(f"{name} {where}")
        elif strengths:
            at_some.append(f"{name} at strength {', '.join(map(str, strengths))}")
        else:
            not_lower.append(name)
    if lower:
        found.append(
            f"It is shown to be lower than on clean images under {', '.join(lower)}: the "
            "intervals of these changes are wholly below 0."
        )
    if at_some:
        found.append(
            "It is lower at some strengths, and at the strongest not shown to be: "
            f"{'; '.join(at_some)}."
        )
    if not_lower:
        found.append(
            f"It is not shown to be lower under {', '.join(not_lower)}, which does not show that "
            "it is the same: read the intervals."
        )
    found.append(
        f"These are {counted(len(known), 'comparison')} at 95 %, not corrected for their number: "
        f"without any effect, {len(known) * 0.025:.1f} of them would look lower by chance."
    )
    return found


def _first_lower(record: RobustnessRecord, name: str) -> int | None:
    """Returns the strength from which on a corruption lowers the AUROC, also at all above it."""
    first = None
    for cell in reversed(of_corruption(record, name)):
        high = _change(cell, "auroc")["high"]
        if high is None or high >= 0:
            break
        first = cell["strength"]
    return first


def _lower_at(record: RobustnessRecord, name: str) -> list[int]:
    """Returns the strengths at which a corruption lowers the AUROC."""
    highs = {c["strength"]: _change(c, "auroc")["high"] for c in of_corruption(record, name)}
    return [strength for strength, high in highs.items() if high is not None and high < 0]


def _calibration(cells: list[CellRecord]) -> list[str]:
    known = [c for c in cells if _change(c, "brier")["difference"] is not None]
    if not known:
        return []
    # The largest change may be an uncertain one, while a smaller one is shown.
    shown = [cell for cell in known if (_change(cell, "brier")["low"] or 0.0) > 0]
    if not shown:
        return ["No corruption is shown to make the probabilities worse (Brier score)."]
    worst = max(shown, key=lambda cell: _change(cell, "brier")["difference"] or 0.0)
    change = _change(worst, "brier")
    after = worst["metrics"]["brier"]["mean"]["estimate"]
    largest = max(_change(cell, "brier")["difference"] or 0.0 for cell in known)
    among = "" if change["difference"] == largest else ", of the changes that are shown,"
    found = (
        f"Probabilities become worst{among} under {named(worst)}: the Brier score rises to "
        f"{interval(after)}, by {signed(change)}"
    )
    line = worst["metrics"]["calibration_slope"]["mean"]["estimate"]
    return [f"{found}; the calibration slope there is {interval(line)}, 1 is best."]


def _cosine(record: RobustnessRecord, cells: list[CellRecord]) -> list[str]:
    known = [cell for cell in cells if cell["cosine"]["value"] is not None]
    if not known:
        return []
    worst = min(known, key=lambda cell: cell["cosine"]["value"] or 0.0)
    found = (
        f"Embeddings move most under {named(worst)}: their cosine with those of the clean images "
        f"is {interval(worst['cosine'])} on average"
    )
    strangers = record["strangers"]
    if strangers["low"] is None:
        return [f"{found}."]
    found += f"; two clean images of different patients have {interval(strangers)}"
    if (worst["cosine"]["high"] or 0.0) < strangers["low"]:
        found += ", so that the clean image of another patient is nearer"
    return [f"{found}."]


def _change(cell: CellRecord, metric: str) -> ChangeRecord:
    change = cell["metrics"][metric]["mean"]["change"]
    assert change is not None  # of cells that are not the clean images
    return change


def named(cell: CellRecord) -> str:
    """Returns a cell in words: `noise of strength 3 (0.18)`."""
    value = cell["value"]
    shown = "" if value is None else f" ({value:g})"
    return f"{cell['corruption']} of strength {cell['strength']}{shown}"


def interval(of: EstimateRecord) -> str:
    """Returns `0.812 [0.780, 0.840]`, or `not estimable`."""
    value, low, high = of["value"], of["low"], of["high"]
    if value is None or low is None or high is None:
        return "not estimable"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def signed(change: ChangeRecord | None) -> str:
    """Returns `-0.031 [-0.052, -0.010]`, or `not estimable`."""
    if change is None:
        return ""
    numbers = change["difference"], change["low"], change["high"]
    if None in numbers:
        return "not estimable"
    value, low, high = (round(number or 0.0, 3) + 0.0 for number in numbers)
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def parameters(names: list[str]) -> list[str]:
    """Returns what the strengths of corruptions are, one sentence each."""
    return [
        f"{each.name}: {each.parameter}, {', '.join(f'{value:g}' for value in each.values)} "
        f"(strengths: {each.source})."
        for each in (CORRUPTIONS[name] for name in names)
    ]
