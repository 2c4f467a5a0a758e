"""The page of questions answers what users of such projects ask, each with something to do next."""

import pathlib
import re

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "faq.md").read_text(encoding="utf-8")
ANSWERS = dict(
    re.findall(r"^### [^\n]+ \{#([\w-]+)\}\n(.+?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
)
# In issue threads of the projects beside this one.
ASKED = {
    "output-number",
    "released-savedmodel",
    "keras-layer",
    "own-data",
    "continue-pretraining",
    "pixel-scale",
    "dicom",
    "patient-in-two-splits",
    "heat-maps",
    "labels-of-two-sets",
    "reproduce",
    "no-internet",
    "licences",
    "warnings",
}


def test_every_question_has_an_anchor_and_the_asked_ones_are_there():
    assert len(ANSWERS) == PAGE.count("\n### ")
    assert set(ANSWERS) >= ASKED


def test_every_answer_has_a_command_code_a_table_or_a_page_to_read():
    without = {
        name for name, text in ANSWERS.items() if not re.search(r"```|\]\([\w/-]+\.md|`--", text)
    }
    assert without <= {"warnings", "multi-frame"}


def test_answers_are_short():
    texts = {k: re.sub(r"```.*?```|^\|.*?$", "", v, flags=re.S | re.M) for k, v in ANSWERS.items()}
    assert not {name for name, text in texts.items() if len(text.split()) > 90}
