"""The page "What the numbers mean" holds the numbers that the functions of a run compute."""

import pathlib
import re

from docs.generate import example_report, numbers_examples
from remedis.evaluation.intervals import MIN_PATIENTS

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")


def test_every_example_of_the_page_is_computed():
    missing = {k: text for k, text in numbers_examples.sentences().items() if text not in PAGE}
    assert not missing


def test_the_tables_of_the_page_are_those_that_a_run_prints():
    (shown,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert shown == example_report.printed()


def test_the_lines_that_the_page_explains_are_in_the_report():
    printed = " ".join(example_report.printed().split())
    explained = PAGE[PAGE.index("{#line-by-line}") :]
    for number in re.findall(r"\d\.\d+ \[[^]]*\]", explained.rpartition("```")[2]):
        assert number in printed, number


def test_the_smallest_number_of_patients_is_that_of_the_code():
    assert MIN_PATIENTS == 5
    assert PAGE.count("fewer than five effective patients") == 1


def test_the_sentences_of_a_study_that_the_page_quotes_are_those_of_its_report():
    source = ROOT / "remedis/reporting/label_budget_report/answer_sentences.py"
    said = " ".join(source.read_text(encoding="utf-8").split())
    quoted = re.findall(r'^\| "(.+)" \|', PAGE[PAGE.index("{#label-budget}") :], re.MULTILINE)
    assert len(quoted) == 7
    assert not {part for text in quoted for part in text.split(" ... ") if part not in said}
