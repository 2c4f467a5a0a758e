"""The files of a finished run of fine-tuning, written without training."""

import json

import numpy as np
import pandas as pd
from scipy.special import expit

from remedis.evaluation import thresholds
from remedis.evaluation.evaluate import evaluate_table

NAMES = ("Edema", "Pleural Effusion")


def run(folder, noise=1.0, names=NAMES, subgroups=True, random_weights=True):
    """Writes the files of a finished run; runs differ only in their scores."""
    rng = np.random.default_rng(0)
    patients = np.arange(400) // 2
    labels = (rng.random((400, 2)) < 0.4).astype(float)[:, : len(names)]
    logits = rng.normal(size=labels.shape) * noise + 1.5 * labels
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(400)],
            "patient_id": patients.astype(str),
            "study_id": None,
            "site": None,
            "split": np.where(patients % 2, "test", "validation"),
        }
    )
    if subgroups:
        table["sex"] = np.array(["F", "M"])[patients // 2 % 2]
    for i, name in enumerate(names):
        table[f"label/{name}"] = labels[:, i]
        table[f"score/{name}"] = expit(logits[:, i]).astype(np.float32)
        table[f"logit/{name}"] = logits[:, i]
    held = table[table["split"] == "validation"]
    targets, scores = (
        held[[f"{kind}/{name}" for name in names]].to_numpy() for kind in ("label", "score")
    )
    chosen = thresholds.choose(targets, scores, names)
    results = {"random_weights": random_weights}
    for split in ("validation", "test"):
        results[split] = evaluate_table(table, names, split, thresholds=chosen, resamples=50)
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(results, allow_nan=False))
    table.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "train/loss": 0.5}) + "\n")
    return folder
