"""The example report of the page "What the numbers mean", of a made-up hospital.

The page shows the tables that a run prints; the whole report is a page of its own.
"""

import functools
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from scipy.stats import norm

from remedis.evaluation import calibration, choice_sentences
from remedis.evaluation.auroc import Floats
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.ranking import ranking_of
from remedis.evaluation.thresholds import choose_by_log_odds
from remedis.reporting import reliability_plot, report_text, results_table, roc_plot, run_page
from remedis.reporting.svg import inline_svg

# Label -> one patient of how many has it, and the AUROC.
LABELS = {"effusion": (4, 0.88), "edema": (6, 0.80), "fracture": (83, 0.75)}
NAMES = list(LABELS)


def pages() -> dict[str, str | bytes]:
    """Returns the report, by its path below `docs/`."""
    return {"numbers/example-report.html": report()}


@functools.cache
def _evaluated() -> tuple[pd.DataFrame, dict[str, Any]]:
    """Returns predictions, calibrated on validation, and their evaluation on test."""
    table = _predictions()
    of_validation = (table["split"] == "validation").to_numpy()

    def columns(kind: str) -> Floats:
        return table[[f"{kind}/{name}" for name in NAMES]].to_numpy(np.float64)

    labels, logits = (columns(kind)[of_validation] for kind in ("label", "logit"))
    ids = table.loc[of_validation, "patient_id"]
    fit = calibration.fit(logits, labels, NAMES, "platt", patient_ids=ids)
    odds = fit.log_odds(columns("logit"))
    for i, name in enumerate(NAMES):
        table[f"log_odds/{name}"] = odds[:, i]
        table[f"score/{name}"] = scipy.special.expit(odds[:, i])
    chosen = choose_by_log_odds(labels, odds[of_validation], NAMES, 0.9)
    evaluated = evaluate_table(
        table,
        NAMES,
        "test",
        thresholds=chosen,
        resamples=200,
        choice_notes=choice_sentences.choice_notes(fit.to_json(), chosen.to_json(), NAMES),
    )
    return table, evaluated


def _predictions() -> pd.DataFrame:
    """Returns raw predictions in the form of `predictions.parquet`.

    The first test patient has 40 images, the others 1 to 3; some labels of edema are uncertain.
    """
    generator = np.random.default_rng(11)
    parts = []
    for split, patients in (("validation", 150), ("test", 250)):
        images = generator.integers(1, 4, patients)
        images[0] = 40 if split == "test" else 1
        of = np.repeat(np.arange(patients), images)
        part = pd.DataFrame({"split": split, "patient_id": [f"{split}-{i}" for i in of]})
        part["sex"] = np.where(of % 5 < 3, "F", "M")
        for name, (one_of, area) in LABELS.items():
            label = (of % one_of == 0).astype(float)
            of_patient = generator.normal(size=patients)[of]
            noise = (of_patient + generator.normal(size=len(of))) / np.sqrt(2)
            part[f"logit/{name}"] = 2.2 * (noise + label * np.sqrt(2) * norm.ppf(area)) - 2
            uncertain = (of % 11 == 3) & (name == "edema")
            part[f"found/{name}"] = np.where(uncertain, -1, label)
            part[f"label/{name}"] = np.where(uncertain, np.nan, label)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def printed() -> str:
    """Returns the tables as a run prints them."""
    _, evaluated = _evaluated()
    report = results_table.results_report(evaluated, random_weights=True, title="Test split")
    return "\n".join(line.rstrip() for line in report_text.text(report).splitlines()).strip()


def report() -> str:
    """Returns `report.html`."""
    table, evaluated = _evaluated()
    test = table[table["split"] == "test"]
    result = Result.from_json(evaluated)
    labels, scores = (
        test[[f"{kind}/{name}" for name in NAMES]].to_numpy(np.float64)
        for kind in ("label", "score")
    )
    ranked = ranking_of(test, NAMES).values
    plots = []
    for name, heading, text, figure in (
        (
            "roc",
            "ROC curves",
            "Sensitivity by 1 - specificity at every threshold; the dashed diagonal is chance.",
            roc_plot.roc_curves(labels, ranked, result, random_weights=True),
        ),
        (
            "reliability",
            "Reliability",
            "The share of positives by predicted probability. On the diagonal, probabilities are "
            "right; below it they are too high, above it too low.",
            reliability_plot.reliability_curves(labels, scores, result, random_weights=True),
        ),
    ):
        drawing = inline_svg(figure, name, f"{heading}. {text}", heading)
        plots.append(run_page.Plot(heading, text, drawing))
    counts = {
        str(split): {
            "images": len(rows),
            "patients": int(rows["patient_id"].nunique()),
            **{name: int((rows[f"label/{name}"] == 1).sum()) for name in NAMES},
        }
        for split, rows in table.groupby("split", sort=False)
    }
    results = {
        "title": "Example of a report: made-up predictions of a made-up hospital",
        "random_weights": True,
        "checkpoint": {"description": "A program drew the predictions; no network took part."},
        "data": {"source": "made up", "counts": counts},
        "test": evaluated,
    }
    return run_page.page(results, "example", plots, None)
