"""The overview of a study of several out-of-distribution sets."""

import copy
import json
import urllib.parse
from xml.etree import ElementTree

import pytest
from ood_example import FIVE, make_study

from remedis.errors import UserError
from remedis.reporting.label_budget_report import curve_figures, write

WILD = "A & B/1"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two sets; at the second one no multiple may be stated."""
    workdir = tmp_path_factory.mktemp("sets")
    first = make_study(("remedis", "scratch"), FIVE[:1], ("probe",))
    second = copy.deepcopy(first)
    second["data"]["ood"]["name"] = WILD
    second["too_few_seeds"] = True
    for answer in second["answers"]:
        if answer["fold"]:
            answer |= {"fold": None, "fold_missing": "interval contains 1"}
    for point in second["points"]:
        point["patients"] *= 3
        point["mean"] = {**point["mean"], "low": 0.41}
    for folder, study in (("", first), (f"ood/{WILD}", second)):
        (workdir / folder).mkdir(parents=True, exist_ok=True)
        (workdir / folder / "summary.json").write_text(json.dumps(study))
    names = (("General Hospital", "."), (WILD, f"ood/{WILD}"))
    sets = [{"name": name, "directory": folder} for name, folder in names]
    overlaps = ["The test sets of both have 2 images in common."]
    values = {"title": "", "sets": sets, "overlaps": overlaps, "caveats": ["Films differ."]}
    (workdir / "ood_sets.json").write_text(json.dumps(values))
    assert write(workdir) == workdir / "report.html"
    return workdir, {"General Hospital": first, WILD: second}


@pytest.fixture(scope="module")
def root(written):
    return ElementTree.fromstring((written[0] / "report.html").read_text(encoding="utf-8"))


def text(element):
    return " ".join("".join(element.itertext()).split())


def test_it_leads_to_the_page_of_every_set(written, root):
    links = {e.get("href"): text(e) for e in root.iter("a")}
    assert links == {
        "reports/General%20Hospital.html": "General Hospital",
        "reports/A%20-%20B-1.html": WILD,
    }
    for name, link in zip(written[1], links, strict=True):
        page = ElementTree.fromstring((written[0] / urllib.parse.unquote(link)).read_text())
        assert f"adapted to {name} and tested there" in text(page)
    assert f"How many labelled patients of General Hospital and {WILD} are needed?" in text(root)
    assert (written[0] / "figures" / "sets-probe.pdf").is_file()
    assert (written[0] / "ood" / WILD / "figures" / "curves.svg").is_file()


def test_one_row_per_set_and_arm_has_estimates_and_answer(root):
    (table,) = root.iter("table")
    rows = [[text(cell) for cell in row] for row in table.iter("tr")]
    assert rows[0] == [
        *("set", "arm", "at University Clinic", "zero-shot", "gap", "level to reach"),
        *("labelled patients", "scratch needs", "quotient", "stated as a multiple"),
    ]
    assert [row[:2] for row in rows[1:]] == [
        [name, arm] for name in ("General Hospital", WILD) for arm in ("remedis", "scratch")
    ]
    assert rows[1][2:] == [
        "0.880 [0.850, 0.910]",
        "0.700 [0.670, 0.730]",
        "+0.180 [+0.120, +0.240]",
        "80 % of the gain: AUROC 0.743",
        *("20 [12, 41]", "91 [61, 122]", "4.7 [1.7, 9.2]", "yes"),
    ]
    assert rows[3][8:] == ["4.7 [1.7, 9.2]", "no: the interval includes 1"]
    assert rows[2][9] == "the baseline"


def test_its_notes_say_what_is_of_one_set_and_what_of_all(root):
    whole = text(root)
    assert "p-values are adjusted within a set, not over the sets" in whole
    assert "The test sets of both have 2 images in common." in whole
    assert "Films differ." in whole
    assert f"{WILD}: TOO FEW: " in whole
    assert "General Hospital: RANDOM WEIGHTS" not in whole  # it is about both


def test_all_panels_have_the_same_axes(written):
    figure = curve_figures.sets(written[1], "probe")
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}
    assert len(limits) == 1
    ((_, right), (bottom, _)) = limits.pop()
    assert right > 3 * 310
    assert bottom < 0.41
    alone = curve_figures.set_panel(written[1], "probe", WILD).axes[0]
    assert (alone.get_xlim(), alone.get_ylim()) == (
        figure.axes[1].get_xlim(),
        figure.axes[1].get_ylim(),
    )


def test_a_set_that_is_not_finished_is_named(written, tmp_path):
    for name in ("summary.json", "ood_sets.json"):
        (tmp_path / name).write_bytes((written[0] / name).read_bytes())
    with pytest.raises(UserError, match=rf"{WILD} holds no finished study: summary.json is miss"):
        write(tmp_path)
