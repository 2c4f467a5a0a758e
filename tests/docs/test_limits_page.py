"""The limits that a page states are those that the code documents."""

import ast
import pathlib
import re

import pytest

from configs import common, common_study
from remedis import limits

ROOT = pathlib.Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "limits.md").read_text(encoding="utf-8").split())


def documented(path: str) -> str:
    text = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    assert text is not None
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("stated", "path", "source"),
    [
        (
            "too extreme | 83.8 %",
            "remedis/evaluation/metric_differences.py",
            "calibration error 98.8 98.5 99.0 98.8 83.8",
        ),
        (
            "90.9 and 76.5 %",
            "remedis/evaluation/estimates.py",
            "the PPV 90.9 and 76.5 %",
        ),
        (
            "92.7 and 90.9 %",
            "remedis/evaluation/estimates.py",
            "average precision 92.7 and 90.9",
        ),
        (
            "86.5 % (AUROC 0.80)",
            "remedis/evaluation/estimates.py",
            "calibration error covers 86.5 % at an AUROC of 0.80",
        ),
        (
            "63.3 %; the nested interval 95.3 %",
            "remedis/evaluation/nested_bootstrap.py",
            "sensitivity 63.3 95.3",
        ),
        (
            "34.3 %; nested 93.3 %",
            "remedis/evaluation/nested_bootstrap.py",
            "specificity 34.3 93.3",
        ),
        (
            "42 % (224 pixels) to 91 % (64 pixels)",
            "remedis/data/checks/look_hashes.py",
            "turned by 2 degrees | 42.3% | 91.0%",
        ),
        (
            "cut by 10 % on every side or cut on two sides are not recognised",
            "remedis/data/checks/look_hashes.py",
            "cut by 10 % on every side | 0.0% | 0.0%",
        ),
        (
            "three of ten studies with a flat curve",
            "remedis/evaluation/label_budget/__init__.py",
            "flat 400 10 80 % of the gain 1.00 1.00 0.30",
        ),
        (
            "2.7 where the truth is 5",
            "remedis/evaluation/label_budget/__init__.py",
            "saturating 400 10 5 80 % of the gain 1.00 2.68",
        ),
        (
            "rarely show a true ratio of 2",
            "remedis/evaluation/label_budget/__init__.py",
            "steep 150 3 2 80 % of the gain 1.00 1.92 0.47 0.07",
        ),
    ],
)
def test_a_measured_limit_is_in_the_page_and_in_the_code(stated, path, source):
    assert stated in PAGE
    assert source in documented(path)


def test_numbers_of_settings_are_the_defaults():
    assert limits.DEFAULT_MEGAPIXELS == common.finetuning().max_megapixels == 40
    assert "Images above 40 million pixels are refused" in PAGE
    inside = common.chest_xray("chexpert")
    study = common_study.ood(inside, common.chest_xray("chestxray14"))
    rates = len(study.select.split(","))
    shares = len(study.budgets.split(",")) - 1
    trainings = 3 * rates * (study.id_trainings + shares * study.seeds)
    assert round(trainings, -2) == 900
    assert "three arms with ten seeds and four rates is about 900 fine-tunings" in PAGE
    assert f"448 pixels has {(448 // 64) ** 2} times the pixels of one of 64" in PAGE


def test_every_file_that_the_page_names_exists():
    for path in re.findall(r"`((?:remedis|benchmarks|docs)/[\w./]+)", PAGE):
        assert (ROOT / path).exists(), path
