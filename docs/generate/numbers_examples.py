"""The examples of the page "What the numbers mean", each computed by the function that a run uses.

Scores are quantiles of the normal distribution, so that most examples have no noise; where patients
are drawn, the seed is fixed. The page is written by hand, and a test holds it to `sentences`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.special
from scipy.stats import norm

from remedis.evaluation import calibration, estimates, ratios, subgroups
from remedis.evaluation.auroc import auroc
from remedis.evaluation.auroc_difference import compare
from remedis.evaluation.average_precision import average_precision
from remedis.evaluation.calibration_error import bin_count, bins
from remedis.evaluation.effective_patients import effective_number, shortage
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.quantities import holm
from remedis.evaluation.thresholds import choose
from remedis.reporting import results_table

Floats = npt.NDArray[np.float64]

PATIENTS = (25, 50, 100, 200, 400, 1600)  # of the table of widths
CURVES = {"arm": (0.74, 0.76, 0.78, 0.80, 0.805), "baseline": (0.70, 0.72, 0.74, 0.78, 0.80)}
BUDGETS = (0, 10, 30, 100, 300)


def sentences() -> dict[str, str]:
    """Returns the pieces of text with numbers that the page must contain, by their subject."""
    return {
        **_ranking(),
        **_thresholds(),
        **_intervals(),
        **_clusters(),
        **_calibration(),
        **_groups(),
        **_comparison(),
        **_label_budget(),
    }


def spread_scores(positives: int, negatives: int, area: float = 0.8) -> tuple[Floats, Floats]:
    """Returns labels and scores of evenly spaced normal quantiles with about that AUROC."""
    shift = np.sqrt(2) * norm.ppf(area)
    scores = [norm.ppf((np.arange(n) + 0.5) / n) for n in (positives, negatives)]
    labels = np.repeat([1.0, 0.0], [positives, negatives])
    return labels, np.concatenate([scores[0] + shift, scores[1]])


def _area(labels: Floats, scores: Floats, patients: Sequence[object]) -> Estimate:
    return evaluate(labels[:, None], scores[:, None], ["x"], patients, resamples=40).labels["x"]


def _brief(estimate: Estimate) -> str:
    return results_table.brief(estimate)


# Three positive and four negative images.
_SCORES = np.array([[0.9], [0.7], [0.4], [0.8], [0.3], [0.2], [0.1]])
_LABELS = np.array([[1.0], [1], [1], [0], [0], [0], [0]])


def _ranking() -> dict[str, str]:
    area = float(auroc(_LABELS, _SCORES)[0, 0])
    precision = float(average_precision(_LABELS, _SCORES)[0, 0])
    return {
        "auroc": f"{round(area * 12)} of the 12 pairs, and the AUROC is {area:.3f}",
        "average precision": f"the average precision is {precision:.3f}",
    }


def _rates(sensitivity: float, specificity: float, prevalence: float) -> dict[str, float]:
    """Returns PPV and NPV among 100,000 patients."""
    counts = np.round(
        100_000
        * np.array(
            [
                prevalence * sensitivity,
                prevalence * (1 - sensitivity),
                (1 - prevalence) * (1 - specificity),
                (1 - prevalence) * specificity,
            ]
        )
    ).astype(int)
    known = np.repeat([1.0, 1.0, 0.0, 0.0], counts)[:, None]
    called = np.repeat([1.0, 0.0, 1.0, 0.0], counts)[:, None]
    point = ratios.operating_point(known, called, np.array([0.5]))
    return {name: float(top.sum() / bottom.sum()) for name, (top, bottom) in point.items()}


def _thresholds() -> dict[str, str]:
    point = ratios.operating_point(_LABELS, _SCORES, np.array([0.5]))
    counts = {
        name: f"{top.sum():.0f} of {bottom.sum():.0f}" for name, (top, bottom) in point.items()
    }
    chosen = choose(_LABELS, _SCORES, ["x"], 0.9)
    found = {
        "sensitivity": f"{counts['sensitivity']} positive images are called positive",
        "specificity": f"{counts['specificity']} negative images are called negative",
        "youden": f"Youden's threshold is {chosen.youden['x']:.2f}",
        "target": f"that of a sensitivity of 0.9 is {chosen.target_sensitivity['x']:.2f}",
    }
    for prevalence in (0.5, 0.1, 0.02):
        of = _rates(0.9, 0.8, prevalence)
        found[f"prevalence {prevalence}"] = (
            f"| {prevalence:.0%} | {of['ppv']:.3f} | {of['npv']:.3f} |".replace("%", " %")
        )
    return found


def widths() -> dict[int, Estimate]:
    """Returns the AUROC with its interval by number of patients, a fifth of them positive."""
    result = {}
    for patients in PATIENTS:
        labels, scores = spread_scores(patients // 5, patients - patients // 5)
        result[patients] = _area(labels, scores, range(patients))
    return result


def _intervals() -> dict[str, str]:
    found = {
        f"{patients} patients": f"| {patients:,} | {of.positives} | {of.interval} |"
        for patients, of in widths().items()
    }
    labels, scores = spread_scores(20, 80, 1 - 1e-12)
    perfect = _area(labels, scores, range(100))
    found["perfect"] = (
        f"An AUROC of 1 from 20 positive and 80 negative patients is {perfect.interval}"
    )
    cases = estimates.Cases(np.ones((30, 1)), np.arange(30))
    called: dict[str, ratios.Ratio] = {"sensitivity": (np.ones((30, 1)), np.ones((30, 1)))}
    sensitivity = estimates.proportions(called, cases)["sensitivity"].estimate([0])
    found["all found"] = f"all of 30 positive patients are found, is {_brief(sensitivity)}"
    return found


def clusters() -> tuple[Estimate, Estimate]:
    """Returns the AUROC of 60 patients with 10 equal images each: by patient, and by image."""
    labels, scores = (np.repeat(of, 10) for of in spread_scores(20, 40))
    return (
        _area(labels, scores, np.repeat(np.arange(60), 10).tolist()),
        _area(labels, scores, range(600)),
    )


def _clusters() -> dict[str, str]:
    sizes = [1] * 9 + [100]
    uneven = float(effective_number(sizes))
    even = float(effective_number([11] * 10))
    by_patient, by_image = clusters()
    return {
        "uneven": f"(9 x 1 + 100)² / (9 x 1² + 100²) = {sum(sizes)}² / 10,009 = {uneven:.1f}",
        "even": f"With 11 images each, they would count as {even:.0f}",
        "too few": f"`{shortage(3, 3.0, 1, 3, 'positive ')}`",
        "shortage": f"`{shortage(10, uneven, 100, 109, 'positive ')}`",
        "by patient": f"By patient: {_brief(by_patient)}",
        "by image": f"by image: {_brief(by_image)}",
    }


def _calibration_cases() -> tuple[Floats, Floats]:
    """Returns labels and calibrated log odds of 4,000 patients, a fifth of them positive."""
    labels, scores = spread_scores(800, 3200)
    shift = np.sqrt(2) * norm.ppf(0.8)
    return labels, scores * shift - shift**2 / 2 + scipy.special.logit(0.2)


# Model -> factor and offset of its log odds.
MODELS = {"calibrated": (1.0, 0.0), "too extreme": (2.0, 0.0), "too high": (1.0, 1.0)}


def calibrations() -> dict[str, Result]:
    """Returns the evaluation of each of `MODELS`, whose images are ranked alike."""
    labels, odds = _calibration_cases()
    found = {}
    for name, (factor, offset) in MODELS.items():
        logits = (factor * odds + offset)[:, None]
        found[name] = evaluate(
            labels[:, None],
            scipy.special.expit(logits),
            ["x"],
            range(len(labels)),
            ranking=logits,
            resamples=40,
        )
    return found


def reliability() -> dict[str, tuple[Floats, Floats, float]]:
    """Returns per model of `MODELS` mean probability and share of positives by bin, and AUROC."""
    labels, odds = _calibration_cases()
    areas = calibrations()
    found = {}
    for name, (factor, offset) in MODELS.items():
        score = scipy.special.expit(factor * odds + offset)
        bin_of = bins(score, bin_count(len(score)))
        images = np.bincount(bin_of)
        curve = [np.bincount(bin_of, of) / images for of in (score, labels)]
        found[name] = (curve[0], curve[1], float(areas[name].labels["x"].value or 0))
    return found


def _calibration() -> dict[str, str]:
    found = {}
    for name, result in calibrations().items():
        values = [result.labels["x"].value]
        values += [
            result.metrics[metric].labels["x"].value
            for metric in ("brier", "calibration_error", "calibration_slope")
        ]
        intercept = result.metrics["calibration_intercept"].labels["x"].value
        cells = [f"{value:.2f}" for value in values] + [f"{(intercept or 0) + 0.0:.2f}"]
        found[name] = f"| {name} | {' | '.join(cells)} |".replace("-0.00", "0.00")
    labels, odds = _calibration_cases()
    logits = (2 * odds + 1)[:, None]
    fit = calibration.fit(logits, labels[:, None], ["x"], "platt", patient_ids=range(len(labels)))
    found["platt"] = f"a scale of {fit.scale[0]:.2f} and an offset of {fit.offset[0]:+.2f}"
    count = bin_count(200)
    error = 0.8 * np.sqrt(count * 0.2 * 0.8 / 200)
    found["bins"] = f"200 patients have {count} bins"
    halved = scipy.special.expit(0.5 * scipy.special.logit([0.02, 0.98]))
    found["slope"] = (
        f"2\u00a0% should be {halved[0] * 100:.1f}\u00a0%, and 98\u00a0% should be "
        f"{halved[1] * 100:.1f}\u00a0%"
    )
    found["error of none"] = f"a perfectly calibrated model has an error of about {error:.2f}"
    found["brier"] = f"the Brier score of always saying 20 % is {0.2 * 0.8:.2f}"
    return found


def _groups() -> dict[str, str]:
    generator = np.random.default_rng(1)
    patients = 240
    labels = (np.arange(patients) % 4 == 0).astype(float)
    scores = generator.normal(size=patients) + labels * np.sqrt(2) * norm.ppf(0.8)
    table = pd.DataFrame({"site": generator.permutation(np.arange(patients) % 4).astype(str)})
    found = subgroups.subgroups(
        labels[:, None], scores[:, None], ["x"], range(patients), table, resamples=1000
    )
    gap = found["site"]["x"]["gaps"]["auroc"]
    return {"gap": f"the gap is {gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]"}


def _comparison() -> dict[str, str]:
    generator = np.random.default_rng(5)
    patients = 300
    labels = (np.arange(patients) % 4 == 0).astype(float)
    common = generator.normal(size=patients) + labels
    noise = 0.3 * generator.normal(size=(2, patients))
    scores = [common + labels * shift + of for shift, of in zip((0.0, 0.35), noise, strict=True)]
    first, second = scores
    difference = compare(
        labels[:, None], first[:, None], second[:, None], ["x"], range(patients), resamples=100
    ).labels["x"]
    alone = [_area(labels, score, range(patients)) for score in scores]
    return {
        "first": f"A has {alone[0].interval}",
        "second": f"B has {alone[1].interval}",
        "difference": f"B minus A is {difference.difference:+.3f} "
        f"[{difference.low:+.3f}, {difference.high:+.3f}]",
        "one of fourteen": f"with a probability of {1 - 0.95**14:.0%}".replace("%", " %"),
        "holm": "0.010, 0.030 and 0.040 become "
        + " and ".join(
            [
                ", ".join(f"{p:.3f}" for p in holm([0.01, 0.03, 0.04])[:2]),
                f"{holm([0.01, 0.03, 0.04])[2]:.3f}",
            ]
        ),
    }


def levels() -> tuple[float, dict[str, float]]:
    """Returns the level of 80 % of the baseline's gain, and the patients that each curve needs."""
    base = CURVES["baseline"]
    level = base[0] + 0.8 * (base[-1] - base[0])
    return level, {
        name: float(crossing(BUDGETS, monotone(np.array([curve])), np.array([level]))[0])
        for name, curve in CURVES.items()
    }


def _label_budget() -> dict[str, str]:
    level, needed = levels()
    ratio = needed["baseline"] / needed["arm"]
    return {
        "level": f"0.70 + 0.8 x 0.10 = {level:.2f}",
        "needed": f"the arm needs {np.ceil(needed['arm']):.0f} patients and the baseline "
        f"{np.ceil(needed['baseline']):.0f}: {ratio:.1f} times fewer",
        "recovered": f"(0.79 - 0.70) / (0.85 - 0.70) = {(0.79 - 0.70) / (0.85 - 0.70):.0%}".replace(
            "%", " %"
        ),
    }
