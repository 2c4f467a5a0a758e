"""A made-up label-budget study, as in `summary.json`."""

import copy

import numpy as np

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
BUDGETS = (0, 3, 16, 31, 62, 102, 155, 310)


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def make_answer(arm, mode, baseline, target, **changes):
    """Returns an answer: 20 patients against 91, all 310 or too few to reach it; then `changes`."""
    of_gain, of_baseline = target == "80 % of the gain", arm == baseline
    answer = {
        "arm": arm,
        "mode": mode,
        "target": target,
        "share_of_gain": 0.8 if of_gain else None,
        "headline": of_gain,
        "level": 0.743 if of_gain else 0.769,
        "level_lowered": False,
        "status": "reached",
        "arm_above_chance": True,
        "baseline_above_chance": True,
        "patients": interval(90.3, 61.0, 122.0) if of_baseline else interval(19.3, 11.2, 40.5),
        "at_least": None,
        "share_reached": 0.994,
        "baseline_patients": interval(90.3, 61.0, 122.0) if of_gain else interval(310, 310, 310),
        "ratio": None
        if of_baseline
        else interval(4.68, 1.7, 9.2)
        if of_gain
        else interval(16.1, 7.7, 27.7),
        "fold": interval(4.68, 1.7, 9.2) if of_gain and not of_baseline else None,
        "fold_missing": "baseline" if of_baseline else None if of_gain else "one-sided",
        "extrapolation": None,
        "cost": {"minutes": 58.0, "price": 117.5},
    }
    if target.startswith("AUROC"):
        answer |= {
            "level": 0.85,
            "status": "not reached",
            "patients": None,
            "at_least": 180.2,
            "share_reached": 0.08,
            "baseline_patients": None,
            "ratio": None,
            "fold_missing": "baseline" if of_baseline else "not reached",
            "cost": None,
        }
    return answer | changes


def make_tuning(arms, labels, mode):
    """Returns the tuning of one mode: every arm adapts 70 cells and chooses among the same."""
    if mode == "probe":
        grid = ["penalty 10", "penalty 1", "penalty 0.1"]
        inside = [{"training": 0, "penalties": dict.fromkeys(labels, 1.0)}]
        budget = "Tuning, probe: 3 penalties per cell, the same for every arm."
    else:
        grid = [f"learning_rate={rate}" for rate in (0.003, 0.02, 0.2)]
        scores = dict(zip(grid, (0.81, 0.84, None), strict=True))
        inside = [{"training": r, "chosen": grid[1], "scores": scores} for r in range(3)]
        budget = "Tuning, finetune: 3 learning rates = 3 trainings per cell."
    return {
        "grid": "learning_rate=0.003,0.02,0.2" if mode == "finetune" else "",
        "budget": budget,
        "rule": "The candidate of the highest mean AUROC is chosen; the earlier one of equals.",
        "candidates": ["step 0", *grid],
        "arms": {
            arm: {
                "id": inside,
                "ood": [
                    {"candidate": one, "score": 0.7 + rank / 50, "chosen": chosen}
                    for rank, (one, chosen) in enumerate(
                        zip(["step 0", *grid], (9, 20, 31, 10), strict=True)
                    )
                ],
                "cells": 70,
                "unranked": 2,
                "unrecorded": 0,
            }
            for arm in arms
        },
    }


def without_later_keys(study):
    """Returns a study as version 0.1.0 wrote it, with its answers in the same order."""
    later = (
        "rehearsal",
        "levels",
        "placebo",
        "primary",
        "adjustment",
        "tuning",
        "trainings",
        "too_few_seeds",
    )
    old = {key: value for key, value in copy.deepcopy(study).items() if key not in later}
    for point in old["points"]:
        del point["mean"]["band_low"], point["mean"]["band_high"]
    for test in old["paired"]:
        del test["p_adjusted"], test["primary"]
    for gap in old["gap"]:
        for recovered in gap["recovered"]:
            del recovered["missing"]
    old["answers"] = [a for a in old["answers"] if a["share_of_gain"] is None]
    for answer in old["answers"]:
        answer |= {"fold": answer["ratio"], "extrapolated": False}
        for key in ("share_of_gain", "headline", "arm_above_chance", "baseline_above_chance"):
            del answer[key]
        for key in ("baseline_patients", "ratio", "fold_missing", "extrapolation", "level_lowered"):
            del answer[key]
    return old


def make_study(
    arms=("remedis", "bit", "scratch"), labels=FIVE, modes=("probe", "finetune"), seed=0
):
    """Returns the summary of a study; the last arm is the baseline and has random weights."""
    rng = np.random.default_rng(seed)
    baseline = arms[-1]

    def estimate(value, half=0.03):
        low, high = max(0.0, value - half), min(1.0, value + half)
        return {"value": value, "low": low, "high": high, "patients": 214, "positives": 37}

    points = []
    for mode in modes:
        for rank, arm in enumerate(arms):
            for patients in BUDGETS:
                area = 0.86 - 0.03 * rank - 0.16 * (1 + patients / 5) ** -0.4
                of_labels = {
                    label: estimate(float(np.clip(area + rng.normal(0, 0.03), 0.4, 0.99)), 0.06)
                    for label in labels
                }
                if len(labels) > 3:  # too rare for an AUROC
                    of_labels[labels[2]] = interval(None, None, None) | {
                        "patients": 214,
                        "positives": 2,
                    }
                points.append(
                    {
                        "arm": arm,
                        "mode": mode,
                        "patients": patients,
                        "images": 3 * patients,
                        "mean": estimate(area)
                        | {"band_low": area - 0.05, "band_high": area + 0.05},
                        "labels": of_labels,
                        "per_seed": [area - 0.01, area + 0.01],
                    }
                )
    answers = [
        make_answer(arm, mode, baseline, target)
        for mode in modes
        for arm in arms
        for target in ("80 % of the gain", "reference", "AUROC 0.85")
        if (arm, target) != (baseline, "reference")
    ]
    receipt = {
        "ok": True,
        "counts": {},
        "overlaps": [],
        "duplicates": {"train": 4, "test": 0},
        "unchecked": ["Leaks by study could not be checked for 12 of 900 images."],
        "near_duplicates": [{"splits": ["train", "test"], "count": 2, "pairs": []}],
    }
    counts = {
        split: {"patients": n, "images": 3 * n, **dict.fromkeys(labels, n // 7)}
        for split, n in {"train": 217, "validation": 93, "test": 214}.items()
    }
    random_step = {
        "origin": "random",
        "description": "Random weights drawn with seed 0.",
        "file": None,
        "sha256": None,
        "command": None,
        "details": {},
        "parent": None,
    }
    trained = {
        **random_step,
        "origin": "release",
        "description": "The published checkpoint cxr-50x1-remedis-m, as downloaded.",
        "file": "cxr-50x1-remedis-m",
        "sha256": "ab" * 32,
        "command": "python saved_models/build.py cxr-50x1-remedis-m",
    }
    trained["parent"] = {**random_step, "origin": "bit", "description": "BiT-M-R50x1 <of old>."}
    return {
        "title": "How many labelled patients of General Hospital are needed?",
        "rehearsal": False,
        "command": "python finetune/ood_curves.py --config=configs/ood_cxr.py --workdir=runs/ood",
        "created": "2030-01-02",
        "labels": list(labels),
        "metric": "mean AUROC",
        "interval": "95 %, percentiles of 1,000 resamples of test patients and seeds",
        "seeds": 10,
        "resamples": 1000,
        "arms": {
            arm: {
                "checkpoint": "scratch:50x1" if arm == baseline else f"saved_models/{arm}",
                "random_weights": arm == baseline,
                "provenance": random_step if arm == baseline else trained,
            }
            for arm in arms
        },
        "baseline": baseline,
        "modes": list(modes),
        "data": {
            key: {"name": name, "source": source, "counts": counts, "leaks": receipt}
            for key, name, source in (
                ("id", "University Clinic", "chexpert"),
                ("ood", "General Hospital", "chestxray14"),
            )
        },
        "between": {
            **receipt,
            "duplicates": {},
            "unchecked": ["Patients could not be compared: their ids are of two hospitals."],
            "near_duplicates": [],
        },
        "budgets": [
            {
                "budget": name,
                "patients": patients,
                "images": 3 * patients,
                "positives": dict.fromkeys(labels, patients // 7),
                "left_out": f"no patient with {labels[-1]} in the training part" * (patients == 2)
                or None,
            }
            for name, patients in zip(
                ("0%", "0.5%", "1%", "5%", "10%", "20%", "33%", "50%", "100%"),
                (0, 2, *BUDGETS[1:]),
                strict=True,
            )
        ],
        "points": points,
        "id": [
            {"arm": arm, "mode": mode, "mean": estimate(0.88)} for mode in modes for arm in arms
        ],
        "reference": [
            {"mode": mode, "arm": baseline, "patients": 310, "mean": estimate(0.7785)}
            for mode in modes
        ],
        "answers": answers,
        "paired": [
            {
                "mode": mode,
                "patients": patients,
                "arm": arm,
                "against": baseline,
                "difference": interval(0.031, 0.0101, 0.0519),
                "p": 0.0005 if patients else 0.021,
                "p_adjusted": 0.007 if patients else 0.063,
                "primary": (mode, patients, arm) == (modes[-1], 31, arms[0]),
            }
            for mode in modes
            for patients in BUDGETS
            for arm in arms[:-1]
        ],
        "gap": [
            {
                "arm": arm,
                "mode": mode,
                "id": estimate(0.88),
                "zero_shot": estimate(0.7),
                "gap": interval(0.18, 0.12, 0.24),
                "recovered": [
                    {"patients": n, "share": interval(n / 400, n / 600, n / 300), "missing": None}
                    for n in BUDGETS[1:]
                ],
            }
            for mode in modes
            for arm in arms
        ],
        "levels": [
            {
                "mode": mode,
                "arm": baseline,
                "share_of_gain": 0.8,
                "headline": True,
                "level": interval(0.743, 0.713, 0.773),
                "gain": interval(0.129, 0.09, 0.17),
                "above_chance": True,
                "gains": True,
            }
            for mode in modes
        ],
        "placebo": [
            {
                "mode": mode,
                "arm": baseline,
                "missing": None,
                "splits": 126,
                "ratio": interval(1.0, 0.61, 1.64),
                "share_twofold": 0.03,
                "share_multiples": 0.02,
            }
            for mode in modes
        ],
        "primary": {
            "arm": arms[0],
            "against": baseline,
            "mode": modes[-1],
            "patients": 31,
            "labels": list(labels),
            "difference": interval(0.031, 0.0101, 0.0519),
            "p": 0.0005,
        }
        if len(arms) > 1
        else None,
        "adjustment": "Holm",
        "trainings": {"probe": 1, "finetune": 3},
        "too_few_seeds": False,
        "tuning": {mode: make_tuning(arms, labels, mode) for mode in modes},
        "caveats": ["The hospitals differ in age, devices and in how labels were made."],
        "cells": {"done": 480, "planned": 480},
        "minutes": 83.2,
    }
