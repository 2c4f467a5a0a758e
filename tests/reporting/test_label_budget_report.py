"""The report of a label-budget study: its page and its files."""

import copy
import json
import re
from xml.etree import ElementTree

import pytest
from ood_example import FIVE, interval, make_study, without_later_keys

from remedis.errors import UserError
from remedis.reporting.label_budget_report import data_tables, lay_summary, placebo, write
from remedis.reporting.label_budget_report.estimate_tables import (
    primary_sentence,
    recovery_tables,
)
from remedis.reporting.label_budget_report.page import page
from remedis.visible_text import visible

WILD = 'a <b>bold</b> & "quoted" name of $x_1$ that is longer than any column of a table'
HOSTILE = WILD + "\x1b[2J\x00\ufffe\ud800\u202e $\\frac{$ |"
SECTIONS = [
    "Answer",
    "What it means",
    "What it does not mean",
    "Curves",
    "Answers at every level",
    "Differences between arms",
    "Placebo",
    "Tuning",
    "Gap between the hospitals",
    "Each label",
    "Budgets",
    "Data and splits",
    "Checkpoints",
    "Caveats",
    "Method and versions",
]


def _text(element):
    return " ".join("".join(element.itertext()).split())


def _small(**changes):
    """A small study, quick to draw."""
    study = make_study(("remedis", "scratch"), ("Edema",), ("probe",))
    return {**study, **changes}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("ood")
    arms = (WILD, "bit", "scratch")
    study = make_study(arms, (FIVE[0], WILD))
    study["caveats"].append("Children & adults: <not> alike.")
    (workdir / "summary.json").write_text(json.dumps(study))
    versions = {"remedis": "0.0.7", "tensorflow": "2.21.0", "absent": None}
    (workdir / "environment.json").write_text(json.dumps({"versions": versions}))
    assert write(workdir) == workdir / "report.html"
    return workdir, study


@pytest.fixture(scope="module")
def root(written):
    """The page, parsed as XML: it must be well-formed."""
    return ElementTree.fromstring((written[0] / "report.html").read_text(encoding="utf-8"))


def _table(root, begins):
    tables = [t for t in root.iter("table") if _text(t.find("caption")).startswith(begins)]
    assert len(tables) == 1, begins
    return [[_text(cell) for cell in row] for row in tables[0].iter("tr")]


def test_loads_nothing_and_its_links_stay_within_the_page(written, root):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    for outside in ("http", "src=", "url(http", "@import", "<script", "<link", "://"):
        assert outside not in text, outside
    names = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(names) == len(set(names))
    targets = {e.get("href") for e in root.iter() if e.get("href")}
    targets |= {f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", text)}
    assert targets
    assert targets <= {f"#{name}" for name in names}


def test_every_section_is_there_and_named(root):
    assert root.get("lang") == "en"
    assert [_text(h) for h in root.iter("h2")] == SECTIONS
    names = {h.get("id") for h in root.iter("h2")}
    assert {s.get("aria-labelledby") for s in root.iter("section")} == names


def test_tables_and_figures_are_accessible_to_screen_readers(root):
    for table in root.iter("table"):
        assert _text(table.find("caption"))
        head, *rows = table.iter("tr")
        assert {cell.get("scope") for cell in head} == {"col"}
        assert {cell.tag for cell in head} == {"th"}
        assert rows
        for row in rows:
            assert (row[0].tag, row[0].get("scope")) == ("th", "row")
            assert len(row) == len(head)
    figures = list(root.iter("figure"))
    # One curve and two labels per mode, and their legend.
    assert len(figures) == 2 * (1 + 2) + 1
    for figure in figures:
        drawing = figure.find("svg")
        assert drawing.get("role") == "img"
        assert len(drawing.get("aria-label")) > 15
        assert _text(figure.find("figcaption"))
    alt = " ".join(next(root.iter("svg")).get("aria-label").split())
    assert f"{WILD}: mean AUROC 0.700 [0.670, 0.730] at 0 (zero-shot)" in alt
    assert "0.829 [0.799, 0.859] at 310 (100 %)" in alt


def test_names_with_special_characters_are_escaped(root):
    rows = _table(root, "Linear probe: mean AUROC")
    assert rows[0] == ["labelled patients", WILD, "bit", "scratch"]
    assert f"patients with {WILD}" in [row[0] for row in _table(root, "Budgets")]
    assert WILD in [_text(h) for h in root.iter("h3")]
    assert WILD in [_text(f) for f in root.iter("figcaption")]
    assert "Children & adults: <not> alike." in [_text(item) for item in root.iter("li")]
    # The legend of the first figure wraps the name.
    drawn = " ".join(_text(text) for text in next(root.iter("svg")).iter("text"))
    assert WILD[:40] in drawn


def test_tables_hold_the_numbers(written, root):
    study = written[1]
    rows = _table(root, "Linear probe: mean AUROC")
    assert [row[0] for row in rows[1:4]] == ["0 (zero-shot)", "3 (1 %)", "16 (5 %)"]
    assert rows[1][1:] == ["0.700 [0.670, 0.730]", "0.670 [0.640, 0.700]", "0.640 [0.610, 0.670]"]
    rows = _table(root, "End-to-end fine-tuning: labelled patients")
    assert rows[1][1:] == [
        "80 % of the gain: AUROC 0.743",
        "20 [12, 41]",
        "91 [61, 122]",
        "4.7 [1.7, 9.2]",
        "yes",
        "99 %",
        "58 minutes, price 117.50",
    ]
    assert rows[4][1:6] == [
        "scratch with all 310: AUROC 0.769",
        "20 [12, 41]",
        "310 (all)",
        "16 [7.7, 28]",
        "no: the baseline may need fewer than all",
    ]
    assert rows[-1][1:] == [
        "AUROC 0.85",
        "not reached with 310 [181, beyond 310]",
        "",
        "",
        "the baseline",
        "8 %",
        "",
    ]
    assert _table(root, "Without any label of General Hospital")[1][2:] == [
        "0.880 [0.850, 0.910]",
        "0.700 [0.670, 0.730]",
        "+0.180 [+0.120, +0.240]",
    ]
    assert _table(root, "Linear probe: share")[2] == ["16 (5 %)", *["4 % [3 %, 5 %]"] * 3]
    rows = _table(root, "Linear probe: difference")
    assert len(rows) == 1 + 2 * 8
    assert rows[2] == [
        "0 (zero-shot)",
        "bit minus scratch",
        "+0.031 [+0.010, +0.052]",
        "0.021",
        "0.063",
    ]
    assert rows[3][3:] == ["<0.001", "0.007"]
    # The primary comparison comes first, in its mode.
    rows = _table(root, "End-to-end fine-tuning: difference")
    assert rows[1][:2] == ["31 (10 %), primary", f"{WILD} minus scratch"]
    assert _table(root, "The baseline against itself")[1] == [
        "Linear probe",
        "scratch against itself",
        "1.0 [0.61, 1.6]",
        "3 %",
        "2 %",
        "126",
    ]
    counts = study["data"]["ood"]["counts"]
    rows = _table(root, "Splits of General Hospital")
    assert rows[:2] == [["", *counts], ["patients", "217", "93", "214"]]


def test_budgets_left_out_say_why(root):
    rows = _table(root, "Budgets")
    assert rows[0][:3] == ["", "0%", "0.5%, left out"]
    assert rows[1][-1] == "310"
    items = [_text(item) for item in root.iter("li")]
    assert f"0.5%: no patient with {WILD} in the training part" in items


def test_states_receipts_provenance_command_and_versions(written, root):
    text = _text(root)
    assert (
        text.count(
            "Leak gate passed: no patient, study or image is in two splits, as far as could be "
            "checked."
        )
        == 3
    )
    assert text.count("Patients could not be compared: their ids are of two hospitals.") == 1
    assert text.count("2 pairs of images that look the same in train and test: a person") == 2
    assert text.count("4 images of train identical to another image of train (allowed)") == 2
    assert text.count("Leaks by study could not be checked for 12 of 900 images.") == 2
    properties = [
        (_text(dt), _text(dd)) for dt, dd in zip(root.iter("dt"), root.iter("dd"), strict=True)
    ]
    assert ("SHA-256", "ab" * 32) in properties
    assert ("started from: weights", "BiT-M-R50x1 <of old>.") in properties
    assert ("versions", "remedis 0.0.7, tensorflow 2.21.0") in properties
    assert ("cells", "480 of 480 (one per arm, mode, budget and seed)") in properties
    assert [_text(code) for code in root.iter("code")] == [written[1]["command"]]
    assert "Research software, not a diagnostic device." in text


def test_random_weights_are_said_in_red(root):
    style = next(root.iter("style")).text
    assert re.search(r"\.alarm \{ color: #C00000;", style)
    alarms = [_text(p) for p in root.iter("p") if p.get("class") == "alarm"]
    assert alarms == [
        "RANDOM WEIGHTS, not pretrained: scratch",
        "RANDOM WEIGHTS: nothing here was pretrained",  # at the checkpoint
    ]


def test_warns_in_red_of_an_unfinished_study_and_of_a_leak():
    study = _small(cells={"done": 480, "planned": 480})
    study["arms"]["scratch"]["random_weights"] = False
    assert 'class="alarm"' not in page(study, {})
    study["cells"]["done"] = 7
    study["data"]["ood"] = copy.deepcopy(study["data"]["ood"])
    study["data"]["ood"]["leaks"] |= {
        "ok": False,
        "overlaps": [
            {"column": "patient_id", "splits": ["train", "test"], "count": 3, "ids": ["JOHN"]}
        ],
    }
    text = page(study, {})
    assert "UNFINISHED: 7 of 480 cells are done; numbers will change." in text
    assert '<p class="alarm"><strong>LEAK: the splits overlap.</strong></p>' in text
    assert "3 patients in both train and test" in text
    assert "JOHN" not in text, "the page names a patient"
    assert "<dd>not recorded</dd>" in text


def test_one_arm_alone_leaves_no_empty_table():
    text = page(_small(answers=[], paired=[]), {})
    assert "<p>There is only one arm.</p>" in text
    assert text.count("<p>No arm was compared with a level to reach.</p>") == 2
    assert not re.search(r"<tbody>\s*</tbody>", text)


def test_names_the_hospitals_and_not_their_roles(root):
    """Readers know hospitals; the terms of the field are no names of data."""
    text = _text(root)
    assert not re.search(r"\b(OOD|ID) (data|test|patients|label)", text)
    assert "To reach 80 % of the gain that scratch makes with all 310 labelled patients" in text
    assert "labelled patients of General Hospital" in _text(next(root.iter("svg")))
    assert "chance" in [_text(t) for t in next(root.iter("svg")).iter("text")]


def test_tuning_states_candidates_scores_and_choices(root):
    assert _table(root, "Linear probe at General Hospital: mean")[:2] == [
        ["candidate", WILD, "bit", "scratch"],
        ["step 0", *["0.700; 9 of 70"] * 3],
    ]


def test_a_summary_of_an_earlier_version_is_shown():
    text = page(without_later_keys(_small()), {})
    assert "remedis needs 20 labelled patients of General Hospital" in text
    assert "This study has no record of tuning" in text
    assert "This study has no placebo" in text
    assert "not corrected for the number of tests" in text
    assert "times fewer" not in text


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"seeds": 1, "too_few_seeds": True}, "TOO FEW: 1 seed is too few, so that every "),
        ({"seeds": 4, "too_few_seeds": True}, "TOO FEW: 4 seeds are too few, so that every "),
        ({"too_few_seeds": True}, "TOO FEW: 2 trainings per arm are too few, so"),
        ({"rehearsal": True}, "REHEARSAL: the images are drawn by a program."),
        ({"cells": {"done": 7, "planned": 480}}, "UNFINISHED: 7 of 480 cells are done; numbers"),
    ],
)
def test_warnings(changes, warning):
    random, found = sorted(lay_summary.warnings(_small(**changes)), key=lambda w: w[:6] != "RANDOM")
    assert random == "RANDOM WEIGHTS, not pretrained: scratch"
    assert found.startswith(warning)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "mean over the labels): +0.031 [+0.010, +0.052], p < 0.001: "
            "remedis has the higher AUROC.",
        ),
        ({"difference": None, "p": None}, "mean over the labels): not estimable."),
        (
            {"difference": interval(-0.03, -0.05, -0.01), "p": 0.021},
            "mean over the labels): -0.030 [-0.050, -0.010], p = 0.021: "
            "scratch has the higher AUROC.",
        ),
        (
            {"difference": interval(0.03, -0.05, 0.11), "p": 0.4, "labels": ["a", "b"]},
            "a and b): +0.030 [-0.050, +0.110], p = 0.400: no difference is shown.",
        ),
    ],
)
def test_the_primary_comparison_has_a_verdict(changes, words):
    study = _small()
    study["primary"] = {**study["primary"], **changes}
    assert primary_sentence(study) == (
        "Primary comparison, as stated in the config: AUROC of remedis minus scratch (Linear "
        f"probe, 31 (10 %) labelled patients, {words}"
    )


def test_a_verdict_from_too_few_seeds_is_provisional():
    sentence = primary_sentence(_small(seeds=3, too_few_seeds=True))
    assert sentence.endswith(
        "remedis has the higher AUROC; this is provisional, since 3 seeds are too few."
    )


def test_without_a_primary_comparison_p_values_are_exploratory():
    assert primary_sentence(_small(primary=None)) == (
        "The config states no primary comparison (config.primary): every p-value here is "
        "exploratory."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "Placebo: compared with itself, one half of its seeds with the other, scratch needs "
            "0.61 to 1.6 times as many patients (95 % of 126 splits), although only the seeds "
            "differ. By chance, 2 % of the splits state a multiple.",
        ),
        (
            {"share_multiples": None, "ratio": interval(1.0, None, None)},
            "Placebo: compared with itself, one half of its seeds with the other, scratch needs "
            "unmeasurably few to unmeasurably many times as many patients (95 % of 126 splits), "
            "although only the seeds differ.",
        ),
        (
            {"missing": "too few seeds"},
            "Placebo, the baseline compared with itself: none, because it needs 4 seeds or more.",
        ),
        (
            {"missing": "level not above chance"},
            "Placebo, the baseline compared with itself: none, because the "
            "level is not shown to be above chance.",
        ),
        (
            {"missing": "no gain shown"},
            "Placebo, the baseline compared with itself: none, because the "
            "baseline is not shown to gain.",
        ),
    ],
)
def test_the_placebo_in_words(changes, words):
    assert placebo.sentence({**_small()["placebo"][0], **changes}) == words


def test_the_placebo_stands_beside_the_answer(root):
    answer = next(s for s in root.iter("section") if s.get("aria-labelledby") == "answer")
    assert _text(answer).count("Placebo: compared with itself, one half of its seeds") == 2
    assert (
        "Every AUROC after adaptation is the mean over 10 draws of labelled patients (seeds)."
        in (_text(answer))
    )


@pytest.mark.parametrize(
    ("missing", "share", "text"),
    [
        (None, interval(0.0, -0.1, 0.1), "0 % [-10 %, 10 %]"),
        ("gap not shown", None, "the gap is not shown"),
        ("unchanged", None, "0 % (unchanged)"),
    ],
)
def test_a_share_of_the_gap_that_is_not_estimable_says_why(missing, share, text):
    study = _small()
    study["gap"][0]["recovered"] = [{"patients": 3, "share": share, "missing": missing}]
    (table,) = recovery_tables(study)
    assert table.rows[0][:2] == ["3 (1 %)", text]


def test_trainings_at_the_first_hospital_are_counted():
    three = make_study(("remedis", "scratch"), ("Edema",), ("finetune",))
    assert lay_summary.no_meaning(three)[-1] == (
        "Each arm was trained 3 times on University Clinic before fine-tuning. "
        "Intervals include the differences between trainings, on the same images."
    )
    assert lay_summary.no_meaning({**three, "trainings": {"finetune": 1}})[-1] == (
        "Each arm was trained once on University Clinic before fine-tuning. "
        "The difference that another training would make is in no interval."
    )
    assert not any("before fine-tuning" in s for s in lay_summary.no_meaning(_small()))


def test_figure_files_are_complete(written):
    names_of_files = sorted(path.name for path in (written[0] / "figures").iterdir())
    names = ("curves", "labels-finetune", "labels-probe")
    assert names_of_files == [f"{name}.{suffix}" for name in names for suffix in ("pdf", "svg")]
    for path in (written[0] / "figures").iterdir():
        content = path.read_bytes()
        if path.suffix == ".svg":
            assert ElementTree.fromstring(content).tag.endswith("svg")
        else:
            assert content.startswith(b"%PDF")
            assert content.rstrip().endswith(b"%%EOF")
        assert b"Date" not in content


def test_equal_summaries_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps(_small()))
        write(tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 2 + 2 * 2
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_directory_without_a_study_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"holds no finished study: summary\.json is missing; run"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_uncertain_test_labels_have_a_table_if_there_are_any():
    study = make_study()
    assert data_tables.uncertain_table(study) is None
    numbers = {way: interval(0.8, 0.7, 0.9) for way in ("ignore", "zeros")}
    row = {"arm": "bit", "mode": "probe", "patients": 310, "images": 1234, "labels": ["Edema"]}
    none = {"ones": {"value": None, "low": None, "high": None}}
    table = data_tables.uncertain_table({**study, "uncertain_labels": [row | numbers | none]})
    assert "uncertain labels of 1,234 test images count as, over Edema (95 %" in table.caption
    assert [cells[-3:] for cells in table.rows] == [
        ["0.800 [0.700, 0.900]", "0.800 [0.700, 0.900]", "not estimable"]
    ]


def test_hostile_names_are_visible_in_page_and_figures(tmp_path):
    study = make_study((HOSTILE, "scratch"), ("Edema", HOSTILE), ("probe",))
    for key in ("title", "id_name", "ood_name", "command"):
        study[key] = HOSTILE
    study["caveats"].append(HOSTILE)
    (tmp_path / "summary.json").write_text(json.dumps(study))
    write(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert visible(text, lines=True) == text
    assert visible(HOSTILE) in _text(ElementTree.fromstring(text))
    for figure in (tmp_path / "figures").glob("*.svg"):
        ElementTree.parse(figure)
