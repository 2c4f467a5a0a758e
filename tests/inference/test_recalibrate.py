"""Calibration and thresholds chosen at a site with shifted logits; judged on other patients."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from remedis.data.fingerprints import Fingerprints
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.thresholds import Thresholds
from remedis.inference import recalibrate, rescore
from remedis.zoo import save_classifier

MARGIN = 3.0  # between the classes' mean logits, of standard deviation 1
SHIFT = 6.0  # of all logits at the site
# Thresholds of the old site, where the classes have mean logits of -MARGIN / 2 and MARGIN / 2.
OLD = MARGIN / 2 + norm.ppf(0.1)


class Exported:
    """An exported classifier without a network, and the arguments that it is saved by."""

    def __init__(self, monkeypatch, labels=("ill",), task="multi_label", thresholds=True):
        self.labels, self.folder, self.seen, self.saved = labels, "export", None, {}
        odds = dict.fromkeys(labels, float(OLD))
        probabilities = dict.fromkeys(labels, float(expit(OLD)))
        chosen = Thresholds(
            probabilities, probabilities, 0.9, {"youden": odds, "target_sensitivity": odds}
        ).to_json()
        self.description = types.SimpleNamespace(
            task=task,
            thresholds=chosen if thresholds else None,
            calibration=None,
            name="model",
            provenance=None,
            label_policies=None,
            pixel_range=None,
            max_pixels=None,
        )
        classifier = types.SimpleNamespace(
            scale=np.ones(len(labels)), offset=np.zeros(len(labels)), calibrate=lambda *_: None
        )
        monkeypatch.setattr(save_classifier, "load", lambda _: (classifier, None, None))
        monkeypatch.setattr(save_classifier, "save", lambda *_, **given: self.saved.update(given))

    def thresholds(self, labels):
        chosen = self.description.thresholds
        return Thresholds.from_json(chosen).for_labels(labels) if chosen else None


def site(seed=0, patients=1200, labels=("ill",), shift=SHIFT, mean=0.0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"patient_id": [f"p{i // 2}" for i in range(2 * patients)]})
    table["path"] = [f"{i}.png" for i in range(len(table))]
    table["split"] = np.where(np.arange(len(table)) // 2 % 2, "test", "validation")
    table[["study_id", "site"]] = ""
    for label in labels:
        positive = np.repeat(rng.random(patients) < 0.3, 2)
        logits = MARGIN * (positive - 0.5) + shift + mean + rng.normal(size=len(table))
        table[f"label/{label}"], table[f"logit/{label}"] = positive.astype(float), logits
        table[f"log_odds/{label}"] = logits
        table[f"score/{label}"] = expit(logits)
        table[label] = table[f"label/{label}"]
    manifest = Manifest(table, labels, ".", "site.csv")
    known = table.assign(sha256="a", original_sha256="b", look=None)
    return rescore.Scored(manifest, table, "", Fingerprints(known, "site.csv"))


def rates(table, threshold):
    called = table["log_odds/ill"] >= threshold
    positive = table["label/ill"] == 1
    return called[positive].mean(), (~called)[~positive].mean()


def test_new_thresholds_meet_the_target_where_the_old_ones_call_everything_positive(monkeypatch):
    exported, scored = Exported(monkeypatch), site()
    judges = recalibrate.judged_rows(scored, split="test")
    assert rates(scored.table[judges], OLD)[1] < 0.001
    done = recalibrate.recalibrate(exported, scored, "platt", "out", judges=judges, resamples=60)
    chosen = exported.saved["thresholds"]
    # In closed form, a sensitivity of 0.9 is at this logit, with this specificity.
    want = norm.cdf(MARGIN + norm.ppf(0.1))
    at_target = {
        rate: done.after["metrics"][f"target_sensitivity/{rate}"]["labels"]["ill"]
        for rate in ("sensitivity", "specificity")
    }
    assert at_target["sensitivity"]["low"] < 0.9 < at_target["sensitivity"]["high"]
    assert at_target["specificity"]["low"] < want < at_target["specificity"]["high"]
    assert at_target["sensitivity"]["high"] - at_target["sensitivity"]["low"] < 0.15
    old = done.before["metrics"]["target_sensitivity/specificity"]["labels"]["ill"]
    assert old["value"] < 0.001
    # The export has thresholds of the calibrated log odds, and where they are from.
    (scale,), (offset,) = (
        exported.saved["calibration"]["scale"],
        exported.saved["calibration"]["offset"],
    )
    logit = (chosen["log_odds"]["target_sensitivity"]["ill"] - offset) / scale
    assert logit == pytest.approx(SHIFT + OLD, abs=0.2)
    assert chosen["chosen_on"]["ill"]["data"] == "site.csv"
    assert chosen["target"] == 0.9
    assert exported.saved["performance"]["data"] == "images of site.csv that chose nothing"
    assert exported.saved["performance"]["labels"]["ill"]["auroc"]["value"] > 0.95
    # Rows that judge have chosen nothing.
    assert chosen["chosen_on"]["ill"]["positives"] < 250
    assert "Thresholds were chosen on site.csv." in done.lines
    brier = [of["metrics"]["brier"]["mean"]["value"] for of in (done.before, done.after)]
    assert brier[1] < 0.1 < brier[0]
    share = scored.table.loc[judges, "label/ill"].mean()
    assert f"{share:.1%} are positive" in done.lines[-1]
    assert done.lines[-1].endswith(f"has a Brier score of {share * (1 - share):.4f}.")


def test_scores_that_do_not_rank_other_patients_are_said(monkeypatch):
    exported, scored = Exported(monkeypatch), site(4, 100)
    noise = np.random.default_rng(0).normal(size=len(scored.table))
    for kind in ("logit", "log_odds"):
        scored.table[f"{kind}/ill"] = noise
    scored.table["score/ill"] = expit(noise)
    judges = recalibrate.judged_rows(scored, split="test")
    done = recalibrate.recalibrate(exported, scored, "platt", "out", judges=judges, resamples=60)
    assert done.lines[-1].startswith("ill: the interval of the AUROC on the other patients, 0.")
    assert "is not wholly above 0.5: the scores may not rank images here" in done.lines[-1]


def test_kept_thresholds_call_the_same_images(monkeypatch):
    exported, scored = Exported(monkeypatch), site(1)
    done = recalibrate.recalibrate(exported, scored, "platt", "out", keep_thresholds=True)
    moved = exported.saved["thresholds"]["log_odds"]["youden"]["ill"]
    calibration = exported.saved["calibration"]
    assert (moved - calibration["offset"][0]) / calibration["scale"][0] == pytest.approx(OLD)
    assert done.before is None
    assert exported.saved["performance"] is None
    assert "Measure out on other patients" in done.lines[-1]


@pytest.mark.parametrize("target", [0.8, 0.95])
def test_another_target_is_met(monkeypatch, target):
    exported, scored = Exported(monkeypatch, thresholds=False), site(2)
    recalibrate.recalibrate(exported, scored, "platt", "out", target_sensitivity=target)
    chosen = exported.saved["thresholds"]
    odds = chosen["log_odds"]["target_sensitivity"]["ill"]
    scale, offset = (exported.saved["calibration"][key][0] for key in ("scale", "offset"))
    assert rates(scored.table, (odds - offset) / scale)[0] == pytest.approx(target, abs=0.01)
    assert chosen["target"] == target


def test_a_label_with_too_few_cases_keeps_its_threshold_and_its_origin(monkeypatch):
    exported, scored = Exported(monkeypatch, ("ill", "rare")), site(3, 100, ("ill", "rare"))
    scored.table["label/rare"] = 0.0
    scored.table.loc[:5, "label/rare"] = 1.0
    done = recalibrate.recalibrate(exported, scored, "platt", "out")
    chosen = exported.saved["thresholds"]
    assert chosen["log_odds"]["youden"]["rare"] == pytest.approx(OLD)
    assert chosen["youden"]["rare"] == pytest.approx(expit(OLD))
    assert chosen["log_odds"]["youden"]["ill"] != pytest.approx(OLD, abs=0.5)
    assert (
        "Thresholds of ill were chosen on site.csv; those of rare on the validation split."
    ) in done.lines


def test_classes_get_thresholds_of_the_site(monkeypatch):
    labels = ("a", "b", "c")
    exported = Exported(monkeypatch, labels, "multi_class")
    scored = site(4, 200, labels, shift=0.0)
    rng = np.random.default_rng(0)
    classes = np.eye(3)[rng.integers(3, size=400)]
    logits = 3 * classes + 2 * rng.normal(size=(400, 3))
    for i, label in enumerate(labels):
        scored.table[f"label/{label}"], scored.table[f"logit/{label}"] = classes[:, i], logits[:, i]
    recalibrate.recalibrate(exported, scored, "temperature", "out")
    chosen = exported.saved["thresholds"]
    assert all(0 < chosen["youden"][label] < 1 for label in labels)
    with pytest.raises(UserError, match="keep_thresholds: the model's task is multi_class"):
        recalibrate.recalibrate(exported, scored, "temperature", "out", keep_thresholds=True)


def test_saturated_logits_are_calibrated_by_rank(monkeypatch):
    exported, scored = Exported(monkeypatch), site(5, 400, shift=98.0)
    judges = recalibrate.judged_rows(scored, share=0.5)
    done = recalibrate.recalibrate(exported, scored, "platt", "out", judges=judges, resamples=60)
    assert (scored.table["score/ill"].astype(np.float32) == 1).all()
    before, after = (of["labels"]["ill"]["value"] for of in (done.before, done.after))
    assert before == after
    assert after == pytest.approx(norm.cdf(MARGIN / np.sqrt(2)), abs=0.015)


def test_patients_are_on_one_side_only():
    scored = site(6, 50)
    judges = recalibrate.judged_rows(scored, share=0.4, seed=1)
    ids = scored.table["patient_id"]
    assert not set(ids[judges]) & set(ids[~judges])
    assert len(set(ids[judges])) == 20
    assert not recalibrate.judged_rows(scored).any()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"split": "tset"}, "judge_split='tset': 0 of 100 images would judge, and both sides need"),
        ({"share": 1.5}, "judge_share=1.5: expected a share of patients between 0 and 1"),
        ({"share": 0.5, "split": "test"}, "Both judge_split and judge_share are set"),
        ({"split": "odd"}, "judge_split='odd': 50 patients, such as p0, are in this split and in"),
    ],
)
def test_bad_choices_of_judging_rows_are_refused(given, sentence):
    scored = site(7, 50)
    if given.get("split") == "odd":
        scored.manifest.table["split"] = np.where(np.arange(100) % 2, "odd", "even")
    with pytest.raises(UserError, match=sentence):
        recalibrate.judged_rows(scored, **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_sensitivity": 0.0}, "target_sensitivity is 0; expected more than 0"),
        ({"target_sensitivity": 0.8, "keep_thresholds": True}, "are set: kept thresholds have"),
    ],
)
def test_a_target_that_cannot_be_met_is_refused(monkeypatch, options, message):
    exported, scored = Exported(monkeypatch), site(patients=60)
    with pytest.raises(UserError, match=message):
        recalibrate.recalibrate(exported, scored, "platt", "out", **options)
    assert not exported.saved
