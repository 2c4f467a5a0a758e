"""The difference of two AUROCs of different images, and which images are the same."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from remedis.errors import UserError
from remedis.evaluation.aligned_tables import align
from remedis.evaluation.auroc_difference import compare_tables
from remedis.evaluation.delong import delong
from remedis.evaluation.unpaired_difference import compare_unpaired


def scored(seed, patients=150, area=0.8, images=2, name="a", noise=None):
    """A table of predictions of a model with a known AUROC."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), images)
    target = (np.arange(patients) % 3 == 0)[patient].astype(float)
    hard = rng.normal(size=patients)[patient] * np.sqrt(0.5)
    score = norm.ppf(area) * np.sqrt(2) * target + hard + rng.normal(size=len(patient)) * 0.5**0.5
    if noise is not None:
        score = score + np.random.default_rng(noise).normal(size=len(patient))
    return pd.DataFrame(
        {
            "path": [f"{name}/{name}{i}.png" for i in range(len(patient))],
            "patient_id": [f"{p}" for p in patient],
            "split": "test",
            "label/ill": target,
            "score/ill": expit(score),
        }
    )


def test_different_images_have_the_sum_of_both_variances():
    first, second = scored(0), scored(1, patients=90, area=0.7, name="b")
    aligned = align(first, second, "test")
    assert not aligned.paired
    assert aligned.why == (
        "Unpaired: the images differ (0 of 300 images and 180 images are in both); patients count "
        "as different, also those of equal ids."
    )
    of = compare_unpaired(aligned).labels["ill"]
    areas = [
        delong(
            table[["label/ill"]].to_numpy(),
            table[["score/ill"]].to_numpy(),
            table["patient_id"].astype(int),
        )
        for table in (first, second)
    ]
    values = [float(area.values[0]) for area in areas]
    assert of.difference == pytest.approx(values[1] - values[0])
    # The widening for small classes is within 5 % here, and t with some 70 degrees within 3 %.
    plain = norm.ppf(0.975) * np.sqrt(sum(area.covariance[0, 0] for area in areas))
    assert (of.high - of.low) / 2 == pytest.approx(plain, rel=0.08)
    assert (of.high - of.low) / 2 > plain
    assert (of.patients, of.positives) == (240, 80)
    swapped = compare_unpaired(align(second, first, "test")).labels["ill"]
    assert (swapped.low, swapped.high) == pytest.approx((-of.high, -of.low))


def test_the_same_images_give_nearly_the_paired_interval():
    first, second = scored(0), scored(0, noise=5)
    aligned = align(first, second, "test")
    assert aligned.paired
    paired = compare_tables(first, second, resamples=40).labels["ill"]
    as_samples = compare_unpaired(aligned).labels["ill"]
    independent = compare_unpaired(align(first, second, "test", unpaired=True)).labels["ill"]
    width = [of.high - of.low for of in (paired, as_samples, independent)]
    assert width[1] == pytest.approx(width[0], rel=0.03)
    assert width[2] > 1.3 * width[0]
    assert paired.difference == pytest.approx(independent.difference)


def test_images_are_matched_by_name_and_take_the_known_patients():
    first = scored(0)
    second = first.iloc[::-1].assign(
        path=[path.rpartition("/")[2][:-4] for path in first["path"].iloc[::-1]],
        patient_id=None,
    )
    aligned = align(first, second, "test")
    assert aligned.paired
    assert aligned.why == (
        "Paired: both scored the same 300 images, matched by file name without suffix."
    )
    of = compare_tables(aligned.first, aligned.second, resamples=40).labels["ill"]
    assert of.difference == 0
    assert of.patients == 150

    most = align(first, second.iloc[:280], "test")
    assert (most.paired, most.in_both) == (False, 280)
    assert "(280 of 300 images and 280 images are in both); the interval" in most.why
    of = compare_unpaired(most).labels["ill"]
    assert of.patients == 150
    # What they have in common cancels: nothing but the missing images differs.
    assert of.high - of.low < 0.05


def test_images_of_equal_names_but_other_truth_are_asked_about():
    first, second = scored(0), scored(1)
    second["label/ill"] = second["label/ill"].to_numpy()[::-1]
    for other in (second, second.iloc[:250]):
        with pytest.raises(UserError, match=r"label/ill of a/a\d+\.png is not the same") as error:
            align(first, other, "test")
        assert str(error.value).endswith("have equal names, say so with unpaired.")
        assert not align(first, other, "test", unpaired=True).paired
    with pytest.raises(UserError, match="patient_id of a/a0"):
        align(first, first.assign(patient_id="one"), "test")


def test_two_models_without_an_error_have_no_p_and_an_interval():
    first, second = scored(0), scored(1, name="b")
    perfect = [table.assign(**{"score/ill": table["label/ill"]}) for table in (first, second)]
    of = compare_unpaired(align(perfect[0], perfect[1], "test")).labels["ill"]
    assert (of.difference, of.p) == (0, None)
    assert 0.02 < of.high < 0.2
    of = compare_unpaired(align(perfect[0], second, "test")).labels["ill"]
    assert of.difference < 0
    assert of.p < 0.01


def test_too_few_patients_and_other_labels_are_said():
    few = scored(0, name="c").iloc[:12]
    of = compare_unpaired(align(scored(1, name="b"), few, "test"))
    assert of.labels["ill"].reason == of.mean.reason or of.mean.reason == "no label is estimable"
    assert "positive" in of.labels["ill"].reason
    other = scored(1, name="b").rename(columns={"label/ill": "label/b", "score/ill": "score/b"})
    with pytest.raises(UserError, match="The labels differ: ill in the first, b in the second"):
        compare_unpaired(align(scored(0), other, "test"))
    with pytest.raises(UserError, match="There are no rows of split 'train' in the first"):
        align(scored(0), scored(1), "train")


@pytest.mark.guarantee
@pytest.mark.parametrize(("patients", "areas"), [(150, (0.8, 0.8)), (40, (0.9, 0.7))])
def test_intervals_cover_the_true_difference(patients, areas):
    """With equal models, 1 - coverage is the share of differences found by chance."""
    truth = areas[1] - areas[0]
    covered = []
    for draw in range(400):
        first = scored(2 * draw, patients, areas[0])
        second = scored(2 * draw + 1, patients, areas[1], name="b")
        of = compare_unpaired(align(first, second, "test", unpaired=True)).labels["ill"]
        covered.append(of.low <= truth <= of.high)
    assert 0.93 <= np.mean(covered) <= 0.99
