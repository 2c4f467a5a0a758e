import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from remedis.evaluation.accuracy_difference import accuracy_differences

NAMES = tuple("abcde")


def make_table(labels, scores, patients):
    columns = {f"label/{name}": labels[:, i] for i, name in enumerate(NAMES)}
    columns |= {f"score/{name}": scores[:, i] for i, name in enumerate(NAMES)}
    paths = [f"{i}.png" for i in range(len(labels))]
    return pd.DataFrame(columns | {"split": "test", "patient_id": patients, "path": paths})


def make_two(images=120, shift=1.5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.eye(5)[rng.integers(5, size=images)]
    common = rng.normal(size=labels.shape)
    scores = [
        softmax(common + rng.normal(size=labels.shape) + strength * labels, axis=1)
        for strength in (0.5, shift)
    ]
    patients = [f"p{i // 2}" for i in range(images)]
    return [make_table(labels, of, patients) for of in scores]


def test_the_difference_is_paired_by_patient():
    first, second = make_two()
    found = accuracy_differences(first, second.sample(frac=1, random_state=0), "test", (1, 3, 5))
    assert list(found) == ["accuracy", "top_3_accuracy"]  # among five, the true one is always
    names = [f"score/{name}" for name in NAMES]
    true = first[[f"label/{name}" for name in NAMES]].to_numpy().argmax(axis=1)
    right = [t[names].to_numpy().argmax(axis=1) == true for t in (first, second)]
    of = found["accuracy"]
    assert (of.first, of.second) == pytest.approx([r.mean() for r in right])
    # Of a large sample, the interval is that of a paired t test on patients.
    paired = (right[1].astype(float) - right[0]).reshape(-1, 2).mean(axis=1)
    half = 2.0 * paired.std(ddof=1) / np.sqrt(len(paired))
    assert (of.high - of.low) / 2 == pytest.approx(half, rel=0.1)
    assert of.difference == pytest.approx(paired.mean())
    assert of.patients == 60
    assert found["top_3_accuracy"].p < 0.01
    opposite = accuracy_differences(second, first, "test", (3,))["top_3_accuracy"]
    assert opposite.difference == pytest.approx(-found["top_3_accuracy"].difference)


def test_equal_models_and_few_patients():
    first, _ = make_two()
    same = accuracy_differences(first, first, "test", ())["accuracy"]
    assert (same.difference, same.p) == (0, None)
    few = accuracy_differences(first[:6], first[:6], "test", ())["accuracy"]
    assert (few.difference, few.reason) == (None, "3 patients, 5 are needed")
