"""What a corruption sweep says in words, and its page, on numbers whose answer is known."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from PIL import Image

from remedis.preprocess.corruptions import CORRUPTIONS
from remedis.reporting import corruption_sheet, robustness_page
from remedis.reporting.robustness_answer import answers


def estimate(value, width=0.04):
    ends = (None, None) if value is None else (value - width, value + width)
    reason = "too few positive patients: 2" if value is None else None
    return {
        **dict(zip(("low", "high"), ends, strict=True)),
        "value": value,
        "patients": 100,
        "positives": 40,
        "reason": reason,
    }


def measured(value, clean, width=0.04):
    change = None if value is None else value - clean
    ends = (None, None) if change is None else (change - width, change + width)
    changed = {"difference": change, "low": ends[0], "high": ends[1], "p": None}
    return {"estimate": estimate(value), "change": changed}


def cell(name, strength, area, brier=0.2, cosine=0.9, labels=("ill",)):
    """A cell of a model whose clean AUROC is 0.9, Brier score 0.2 and slope 1."""

    def metric(value, clean):
        of = measured(value, clean)
        return {"labels": dict.fromkeys(labels, of), "mean": of}

    metrics = {
        "auroc": metric(area, 0.9),
        "brier": metric(brier, 0.2),
        "calibration_error": metric(0.1, 0.1),
        "calibration_slope": metric(0.5, 1.0),
        "calibration_intercept": metric(0.0, 0.0),
    }
    value = CORRUPTIONS[name].value(strength) if name in CORRUPTIONS else None
    return {
        "corruption": name,
        "strength": strength,
        "value": value,
        "metrics": metrics,
        "cosine": estimate(cosine),
    }


def record(*cells, strangers=0.4, clean=0.9, labels=("ill",)):
    return {
        "title": "Robustness of <run> on data",
        "model": "run",
        "random_weights": True,
        "checkpoint": {},
        "task": "multi_label",
        "labels": list(labels),
        "data": "data",
        "images": 200,
        "preprocess": "resize(8)",
        "notes": ["A note."],
        "seed": 0,
        "resamples": 40,
        "strangers": estimate(strangers),
        "cells": [cell("clean", 0, clean, cosine=1.0, labels=labels), *cells],
    }


def test_the_worst_cell_and_the_strength_from_which_the_loss_is_shown():
    noise = [cell("noise", s, area) for s, area in enumerate((0.9, 0.8, 0.88, 0.8, 0.6), 1)]
    blur = [cell("blur", s, 0.89, cosine=0.3) for s in (1, 5)]
    crop = [cell("crop", s, 0.7) for s in (1, 2)]
    said = answers(record(*noise, *blur, *crop))
    assert said[0] == (
        "The AUROC of 0.900 [0.860, 0.940] falls most under noise of strength 5 (0.38): to 0.600 "
        "[0.560, 0.640], a change of -0.300 [-0.340, -0.260]."
    )
    # Noise 2 is lower, but noise 3 is not shown to be.
    assert "lower than on clean images under noise from strength 4 on, crop at every" in said[1]
    assert said[2].startswith("It is not shown to be lower under blur, which does not show that")
    assert "These are 9 comparisons at 95 %, not corrected" in said[3]
    assert "0.2 of them would look lower by chance" in said[3]
    assert said[4] == "No corruption is shown to make the probabilities worse (Brier score)."
    assert said[5] == (
        "Embeddings move most under blur of strength 1 (1): their cosine with those of the clean "
        "images is 0.300 [0.260, 0.340] on average; two clean images of different patients have "
        "0.400 [0.360, 0.440], so that the clean image of another patient is nearer."
    )


def test_what_is_not_there_is_not_claimed():
    said = answers(record(cell("noise", 5, 0.95, brier=0.3), strangers=None))
    assert said[0] == "The AUROC of 0.900 [0.860, 0.940] falls under no corruption."
    assert not any("wholly below" in sentence for sentence in said)
    assert said[-2] == (
        "Probabilities become worst under noise of strength 5 (0.38): the Brier score rises to "
        "0.300 [0.260, 0.340], by +0.100 [+0.060, +0.140]; the calibration slope there is 0.500 "
        "[0.460, 0.540], 1 is best."
    )
    assert said[-1].endswith("on average.")
    assert answers(record()) == ["No corruption of a strength above 0 was measured."]
    missing = answers(record(cell("noise", 5, None), clean=None))
    assert missing[0] == (
        "The AUROC is not estimable (too few positive patients: 2), so that no loss of it can be."
    )


def test_what_is_shown_beside_a_larger_uncertain_change_is_said():
    noise = [cell("noise", s, area) for s, area in ((1, 0.7), (2, 0.8), (3, 0.89))]
    uncertain = cell("blur", 1, 0.9, brier=0.3)
    uncertain["metrics"]["brier"]["mean"] = measured(0.3, 0.2, width=0.2)
    said = answers(record(*noise, cell("crop", 1, 0.9, brier=0.25), uncertain))
    assert said[1] == (
        "It is lower at some strengths, and at the strongest not shown to be: "
        "noise at strength 1, 2."
    )
    assert said[2].startswith("It is not shown to be lower under crop, blur, which does not")
    assert said[4].startswith(
        "Probabilities become worst, of the changes that are shown, under crop of strength 1 (0.95)"
    )


def test_the_page_is_one_well_formed_file():
    labels = ("ill", "<b>")
    cells = [cell("noise", s, 0.9 - s / 20, labels=labels) for s in (0, 1, 5)]
    cells.append(cell("jpeg", 1, None, labels=labels))
    page = robustness_page.page(record(*cells, labels=labels), b"PNG")
    root = ElementTree.fromstring(page.partition("<!DOCTYPE html>")[2].strip())
    text = " ".join("".join(root.itertext()).split())
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:image/png;base64,)', page)
    assert "RANDOM WEIGHTS" in text
    assert "A note." in text
    assert "not estimable" in text
    assert "AUROC of each label" in text
    assert "noise 5 (0.38)" in text


def test_the_sheet_has_every_strength_of_every_corruption(tmp_path):
    image = np.random.default_rng(0).uniform(size=(40, 30, 3)).astype(np.float32)
    chosen = [CORRUPTIONS["contrast"], CORRUPTIONS["crop"]]
    figure = corruption_sheet.corruption_sheet(image, chosen, "Mine")
    assert len(figure.axes) == 12
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes]
    assert shapes[:7] == [(40, 30)] * 7
    assert shapes[11] == (28, 21)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image)
    texts = [text.get_text() for text in figure.texts]
    assert texts[:3] == ["Mine", "clean", "strength 1"]
    assert "0.95" in texts
    figure.savefig(tmp_path / "sheet.png", dpi=30)
    assert Image.open(tmp_path / "sheet.png").size[0] > 200
