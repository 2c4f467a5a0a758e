"""A made-up label-budget study, as in `summary.json`."""

import numpy as np

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
BUDGETS = (0, 3, 16, 31, 62, 102, 155, 310)


def make_study(
    arms=("remedis", "bit", "scratch"), labels=FIVE, modes=("probe", "finetune"), seed=0
):
    """Returns the summary of a study; the last arm is the baseline and has random weights."""
    rng = np.random.default_rng(seed)
    baseline = arms[-1]

    def estimate(value, half=0.03):
        low, high = max(0.0, value - half), min(1.0, value + half)
        return {"value": value, "low": low, "high": high, "patients": 214, "positives": 37}

    def bare(value, low, high):
        return {"value": value, "low": low, "high": high}

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
                    of_labels[labels[2]] = bare(None, None, None) | {
                        "patients": 214,
                        "positives": 2,
                    }
                points.append(
                    {
                        "arm": arm,
                        "mode": mode,
                        "patients": patients,
                        "images": 3 * patients,
                        "mean": estimate(area),
                        "labels": of_labels,
                        "per_seed": [area - 0.01, area + 0.01],
                    }
                )
    answers = []
    for mode in modes:
        for arm in arms:
            answers += [
                {
                    "arm": arm,
                    "mode": mode,
                    "target": "reference",
                    "level": 0.7785,
                    "patients": bare(19.3, 11.2, 40.5),
                    "status": "reached",
                    "at_least": None,
                    "share_reached": 0.994,
                    "fold": bare(15.4, 7.24, 26.1),
                    "extrapolated": False,
                    "cost": {"minutes": 58.0, "price": 117.5},
                },
                {
                    "arm": arm,
                    "mode": mode,
                    "target": "AUROC 0.85",
                    "level": 0.85,
                    "patients": None,
                    "status": "not reached",
                    "at_least": 180.2,
                    "share_reached": 0.08,
                    "fold": None,
                    "extrapolated": False,
                    "cost": None,
                },
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
                "difference": bare(0.031, 0.0101, 0.0519),
                "p": 0.0005 if patients else 0.021,
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
                "gap": bare(0.18, 0.12, 0.24),
                "recovered": [
                    {"patients": n, "share": bare(n / 400, n / 600, n / 300)} for n in BUDGETS[1:]
                ],
            }
            for mode in modes
            for arm in arms
        ],
        "caveats": ["The hospitals differ in age, devices and in how labels were made."],
        "cells": {"done": 480, "planned": 480},
        "minutes": 83.2,
    }
