"""Reporting checklists: every answer is resolved in the run, and none claims more than it holds."""

import functools
import json
import re
import shutil

import markdown_it
import numpy as np
import pandas as pd
import pytest
from ood_example import make_study
from test_run_report import NAMES, run

from remedis import cli
from remedis.evaluation.performance_summary import performance_summary
from remedis.reporting.checklists import cited_records, document
from remedis.reporting.checklists.answers import AUTHOR, PARTLY, RUN
from remedis.zoo import licences, markdown_text, shared_names

HOSTILE = "# <b>|`x`| ![a](http://b)"
# Of the main items and their parts as published; the label has none, its entries are ours.
PUBLISHED = {
    "claim": [str(number) for number in range(1, 45)],
    "tripod-ai": [
        *("1", "2", "3a", "3b", "3c", "4", "5a", "5b", "6a", "6b", "6c", "7", "8a", "8b", "8c"),
        *("9a", "9b", "9c", "10", "11", *(f"12{part}" for part in "abcdefg"), "13", "14", "15"),
        *("16", "17", *(f"18{part}" for part in "abcdef"), "19", "20a", "20b", "20c", "21", "22"),
        *("23a", "23b", "24", "25", "26", "27a", "27b", "27c"),
    ],
    "stard-ai": [
        *map(str, range(1, 15)),
        *("15a", "15b", "15c", "15d", "16a", "16b", "16c", "17a", "17b"),
        *map(str, range(18, 26)),
        *("26a", "26b"),
        *map(str, range(27, 40)),
        *("40a", "40b"),
    ],
}
OURS = r"95 %|\(-1\)|v2|SHA-256"  # numbers in our own words
POLICIES = {"uncertain": "ignore", "unmentioned": "zeros", "unlabelled": "zeros"}
PROVENANCE = {
    "origin": "bit",
    "description": "BiT-M, supervised on ImageNet-21k.",
    "file": "/home/someone/BiT-M-R50x1.npz",
    "sha256": "ab" * 32,
}


def write_json(folder, **contents):
    for name, value in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A fine-tuning run with every record, one label that is not estimable and a hostile name."""
    names = (NAMES[0], HOSTILE)
    folder = run(tmp_path_factory.mktemp("checklists") / "run", names=names, random_weights=False)
    results = json.loads((folder / "results.json").read_text())
    results["test"]["labels"][HOSTILE] |= {"value": None, "low": None, "high": None}
    results["test"]["labels"][HOSTILE]["reason"] = "3 positive patients, 5 are needed"
    results["test"] |= {"left_out": [HOSTILE], "label_notes": ["Without any label: 2 images."]}
    results["test"]["choice_notes"] = ["Thresholds were chosen on the validation split."]
    counts = {"images": 200, "patients": 100, names[0]: 80, HOSTILE: 70}
    results |= {
        "task": "multi_label",
        "checkpoint": PROVENANCE,
        "data": {
            "source": "csv",
            "counts": {"train": counts, "validation": counts, "test": counts},
            "policies": {names[0]: POLICIES, HOSTILE: POLICIES | {"uncertain": "ones"}},
            "evaluation_policies": POLICIES,
            "bad_images": 2,
            "seen_by_checkpoint": ["The weights do not say which images they have seen."],
        },
        "preprocess": {"train": "resize(32) | rotate(10)", "evaluation": "resize(32)"},
        "schedule": {"kind": "cosine", "warmup": 1, "learning_rate": 0.05, "drops": [0.3, 0.6]},
        "steps": 20,
        "best_step": 10,
        "selection": {"note": "The checkpoint was selected by the mean AUROC."},
        "tuning": {"names": ["rate 1", "rate 2"], "scores": [0.71, None], "chosen": 0},
        "thresholds": results["test"]["thresholds"],
    }
    config = {
        "labels": list(names),
        "method": "finetune",
        "optimizer": "sgd",
        "learning_rate": 0.003,
        "batch_size": 32,
        "class_weights": "balanced",
        "head_stddev": None,
        "head_norm": True,
        "splits": {"train": 0.7, "validation": 0.1, "test": 0.2},
        "split_unit": "patient_id",
        "split_seed": 3,
        "seed": 1,
    }
    leaks = {"ok": True, "overlaps": [], "unchecked": ["No image has a study id."]}
    environment = {
        "command": "finetune.py --config=configs/own_data.py --workdir=/home/someone/run",
        "versions": {"remedis": "0.2.0", "tensorflow": "2.21.0"},
        "python": "3.11.7",
        "git_commit": "ab12" * 10,
        "processors": 2,
    }
    write_json(folder, results=results, config=config, leaks=leaks, environment=environment)
    write_description(folder / "export", results)
    return folder


def write_description(folder, results, **changes):
    folder.mkdir()
    data = "the test split of csv"
    labels = list(results["test"]["labels"])
    values = {
        "kind": "classifier",
        "name": "run",
        "units": [3, 4, 6, 3],
        "width": 1.0,
        "final_norm": True,
        "value_range": [0.0, 1.0],
        "trunk_range": None,
        "parameters": 23510597,
        "tensors": 153,
        "signatures": ["serving_default"],
        "provenance": PROVENANCE,
        "labels": labels,
        "preprocess": "resize(32)",
        "task": "multi_label",
        "performance": performance_summary(results["test"], data),
        "calibration": {"method": "platt", "scale": [1.0, 1.0], "offset": [0.0, 0.1]},
        "thresholds": results["test"]["thresholds"],
        "software": {"remedis": "0.2.0"},
    }
    values["calibration"]["data"] = "site_b"
    write_json(folder, remedis=values | changes)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    summary = make_study(("one", HOSTILE, "scratch"), (NAMES[0],))
    write_json(folder, summary=summary, config={"arms": "one=a", "image_size": 32})
    return folder


@pytest.fixture(scope="module")
def evaluation(finished, tmp_path_factory):
    """As `remedis evaluate RUN DATA` writes it."""
    folder = tmp_path_factory.mktemp("evaluation") / "theirs"
    folder.mkdir()
    shutil.copy(finished / "predictions.parquet", folder)
    results = json.loads((finished / "results.json").read_text())
    kept = {key: results[key] for key in ("random_weights", "checkpoint", "task", "test")}
    kept |= {"model": "/data/run/export", "split": "test", "title": "run on theirs"}
    kept["data"] = {"source": "/data/theirs", "warning": "3 images were seen in training."}
    write_json(folder, results=kept)
    return folder


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A run of version 0.1: no notes, no policies of evaluation, no schedule, no export."""
    folder = run(tmp_path_factory.mktemp("old") / "run", subgroups=False)
    results = json.loads((folder / "results.json").read_text())
    for split in ("validation", "test"):
        for key in ("choice_notes", "label_notes", "ties", "warnings", "weighting", "subgroups"):
            del results[split][key]
        results[split]["metrics"]["brier"]["labels"] = {}  # one number for all
    write_json(folder, results=results)
    return folder


KINDS = ("finished", "study", "evaluation", "old", "export")


@pytest.fixture(params=KINDS)
def folder(request, finished):
    return (
        finished / "export" if request.param == "export" else request.getfixturevalue(request.param)
    )


def inside(folder, file, keys):
    """Returns a value of a run, read without the library's readers."""
    if file == "predictions.parquet":
        return of_predictions(pd.read_parquet(folder / file), keys)
    value = content(folder / file)
    for key in keys:
        value = value[key]
    return value


@functools.cache
def content(file):
    return json.loads(file.read_text())


def of_predictions(table, keys):
    if keys == ("rows",):
        return len(table)
    split, what, *rest = keys
    rows = table[table["split"] == split]
    if what == "age":
        return getattr(rows["age"].dropna(), rest[0])()
    return rows[rows[what] == rest[0]]["patient_id"].nunique()


def calls(folder, keys):
    """Returns the number of calls by hand: scores in single precision against the threshold."""
    split, _, label, call = keys
    results = json.loads((folder / "results.json").read_text())
    rows = pd.read_parquet(folder / "predictions.parquet")
    rows = rows[rows["split"] == split]
    cut = np.float32(results[split]["thresholds"]["youden"][label])
    called = rows[f"score/{label}"].to_numpy(np.float32) >= cut
    truth = rows[f"label/{label}"].to_numpy() == 1
    right = {"true": called == truth, "false": called != truth}[call.split()[0]]
    return int((right & (called == call.endswith("positive"))).sum())


def check_field(folder, field):
    if field.is_name:
        if field.file.endswith(".json"):
            inside(folder, field.file, field.keys)
        assert field.shown == markdown_text.text(field.keys[-1])
        return
    if len(field.keys) == 4 and field.keys[1] == "calls":
        value = calls(folder, field.keys)
    else:
        value = inside(folder, field.file, field.keys)
    assert field.value == value, field.place
    if isinstance(value, bool) or not isinstance(value, int | float):
        for text in map(str, value if isinstance(value, list) else [value]):
            shown = (
                markdown_text.text(text),
                markdown_text.code(text),
                markdown_text.text(shared_names.of_absolute(text)),
                markdown_text.code(shared_names.command(text, keep_relative=True)),
            )
            assert any(form in field.shown for form in shown), (field.place, field.shown)
        return
    number = field.shown.replace(",", "")
    decimals = len(number.partition(".")[2])
    assert abs(float(number) - value) <= 0.5 * 10**-decimals + 1e-12, (field.place, field.shown)


@pytest.mark.parametrize("name", document.GUIDELINES)
def test_every_answer_is_resolved_in_the_run(folder, name):
    run_records = cited_records.read(folder)
    answers = document.filled(document.guideline(name), run_records)
    assert sum(document.counts(answers).values()) == len(answers)
    for item, answer in answers.items():
        assert answer.said or answer.author, item.id
        for sentence in answer.said:
            assert sentence.sources
            for field in sentence.fields:
                check_field(folder, field)
                at = any(field.place.startswith(source) for source in sentence.sources)
                assert at or field.is_name, (field.place, sentence.sources)
            for field in sentence.cites:
                assert inside(folder, field.file, field.keys) == field.value
            ours = "".join(part for part in sentence.parts if isinstance(part, str))
            assert not re.search(r"\d", re.sub(OURS, "", ours)), ours
    text = document.text(document.guideline(name), run_records, answers)
    page = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    assert not re.search(r"<(b|a|img)\b", page)
    assert "someone" not in text
    json.dumps(document.values(document.guideline(name), run_records, answers), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "entries"), [("claim", 44), ("tripod-ai", 52), ("stard-ai", 48), ("model-facts", 17)]
)
def test_the_items_are_those_published_and_each_is_there_once(name, entries):
    of = document.guideline(name)
    ids = [item.id for item in of.items]
    assert len(set(ids)) == len(ids) == entries
    assert ids == PUBLISHED.get(name, ids)
    assert of.citation
    assert "not read" in of.numbering  # the articles themselves could not be read


def answer(folder, name, id):
    of = document.guideline(name)
    item = next(item for item in of.items if item.id == id)
    found = item.answer(cited_records.read(folder))
    return found.state, " ".join(sentence.text for sentence in found.said), " ".join(found.author)


# Items that ask for a test elsewhere.
EXTERNAL = [("claim", "33"), ("stard-ai", "29"), ("model-facts", "external")]


@pytest.mark.parametrize(("name", "id"), EXTERNAL)
def test_a_run_claims_no_external_test(finished, name, id):
    state, text, author = answer(finished, name, id)
    assert (state, text) == (AUTHOR, "")
    assert "remedis evaluate" in author


def test_an_evaluation_elsewhere_leaves_to_the_author_whether_it_is_external(evaluation):
    state, text, author = answer(evaluation, "claim", "33")
    assert state == PARTLY
    assert text.startswith("A model that was trained before is scored, unchanged, on theirs: ")
    assert "State whether these data are of another place" in author
    assert answer(evaluation, "claim", "32")[0] == AUTHOR  # whether internal is not known either
    assert "3 images were seen in training." in answer(evaluation, "claim", "20")[1]


def test_a_study_tests_at_the_place_that_it_names(study):
    state, text, _ = answer(study, "claim", "33")
    assert state == PARTLY
    assert "which the study names as another place than" in text


def test_random_weights_and_made_up_data_are_said(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text()) | {"random_weights": True}
    config = json.loads((folder / "config.json").read_text()) | {"rehearsal": "chexpert"}
    write_json(folder, results=results, config=config)
    for id in ("37", "38", "40"):
        assert "RANDOM WEIGHTS" in answer(folder, "claim", id)[1]
        assert "RANDOM WEIGHTS" not in answer(finished, "claim", id)[1]
    for id in ("7", "35", "37", "40"):
        assert "MADE-UP DATA" in answer(folder, "claim", id)[1]
    text = document.text(
        (of := document.guideline("claim")),
        (records := cited_records.read(folder)),
        document.filled(of, records),
    )
    assert "MADE-UP DATA" in text[: text.index("## Title")]


def test_an_export_of_a_rehearsal_says_so(finished, tmp_path):
    details = {"data": [{"source": "chexpert", "terms": licences.MADE_UP}]}
    provenance = PROVENANCE | {"parent": PROVENANCE | {"details": details}}
    results = json.loads((finished / "results.json").read_text())
    write_description(tmp_path / "export", results, provenance=provenance)
    assert "MADE-UP DATA" in answer(tmp_path / "export", "claim", "37")[1]
    assert "MADE-UP DATA" not in answer(finished / "export", "claim", "37")[1]


def test_an_export_and_a_study_say_that_weights_began_random(finished, study, tmp_path):
    provenance = PROVENANCE | {"origin": "training", "parent": PROVENANCE | {"origin": "random"}}
    results = json.loads((finished / "results.json").read_text())
    write_description(tmp_path / "export", results, provenance=provenance)
    for id in ("24", "37", "38", "40"):
        assert "RANDOM WEIGHTS" in answer(tmp_path / "export", "claim", id)[1]
        assert "RANDOM WEIGHTS" not in answer(finished / "export", "claim", id)[1]
    text = answer(study, "claim", "37")[1]
    assert "no pretrained checkpoint went into arm scratch." in text
    assert "went into arm one." not in text


def test_the_terms_that_bind_a_model_are_named(finished, tmp_path):
    links = [licences.CODE, dict(licences.BIT)]
    results = json.loads((finished / "results.json").read_text())
    write_description(tmp_path / "export", results, licences=links)
    _, text, _ = answer(tmp_path / "export", "claim", "43")
    assert "Terms of remedis (code): Apache-2.0 (read, LICENSE of this package)." in text
    assert "Terms of BiT (weights): not named (not checked, " in text


# Of an evaluation, what only the run that trained the model knows is not answered as a whole.
@pytest.mark.parametrize("id", ["19", "20", "22", "25"])
def test_an_evaluation_leaves_training_to_the_author(evaluation, id):
    state, _, author = answer(evaluation, "claim", id)
    assert state != RUN
    assert re.search("the run that trained the model|do not hold", author)


def test_a_number_that_is_not_estimable_has_its_reason(finished):
    for name, id in (("claim", "37"), ("tripod-ai", "23a"), ("stard-ai", "31")):
        _, text, _ = answer(finished, name, id)
        assert "not estimable (3 positive patients, 5 are needed)" in text


def test_without_results_on_test_images_there_is_no_performance(finished, tmp_path):
    description = json.loads((finished / "export/remedis.json").read_text())
    write_description(tmp_path / "export", json.loads((finished / "results.json").read_text()))
    write_json(tmp_path / "export", remedis=description | {"performance": None})
    for name, id in (("claim", "37"), ("claim", "38"), ("tripod-ai", "23a"), ("stard-ai", "31")):
        state, text, author = answer(tmp_path / "export", name, id)
        assert (state, text) == (AUTHOR, "")
        assert "no results on labelled test images" in author


def test_the_validation_split_is_no_internal_test(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "again")
    (folder / "config.json").unlink()
    results = json.loads((folder / "results.json").read_text()) | {"split": "validation"}
    del results["test"]
    write_json(folder, results=results)
    state, _, author = answer(folder, "claim", "32")
    assert state == PARTLY
    assert "This split chose the model" in author


def test_a_probe_has_no_augmentation(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text())
    results["probe"] = {"penalties": {NAMES[0]: 1.0}, "converged": True}
    write_json(folder, results=results)
    of, records = document.guideline("claim"), cited_records.read(folder)
    text = document.text(of, records, document.filled(of, records))
    assert "Training prepares each image by `resize(32)`" in text
    assert "rotate" not in text


def test_images_without_a_known_label_are_not_behind_the_numbers(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text())
    images = results["test"]["images"]
    results["test"]["labelled_images"] = images - 3
    write_json(folder, results=results)
    (folder / "export").rename(tmp_path / "old")
    write_description(folder / "export", results)
    for of, id in ((folder, "32"), (folder, "37"), (folder / "export", "37")):
        assert f"{images - 3} of them with a known label" in answer(of, "claim", id)[1]
        assert "with a known label" not in answer(finished, "claim", id)[1]


def test_missing_subgroups_and_sites_are_for_the_author(old):
    for name, id in (("tripod-ai", "23b"), ("model-facts", "subgroups")):
        state, _, author = answer(old, name, id)
        assert state == AUTHOR
        assert "hold no results" in author


@pytest.mark.parametrize("probes", [True, False])
def test_a_pretraining_claims_no_results(tmp_path, probes):
    row = {"step": 10, "probe/linear_auroc": 0.6, "probe/knn_auroc": 0.5}
    results = {"name": "pre", "method": "simclr", "checkpoint": PROVENANCE, "steps": 20}
    results |= {"best_step": 10, "probe": [row] * probes, "data": {"labels_used": probes}}
    write_json(tmp_path, results=results, config={"method_options": "", "method": "simclr"})
    chosen = answer(tmp_path, "claim", "26")
    assert ("the best on the validation split" in chosen[1]) == probes
    for id in ("27", "28", "32", "33", "37", "38"):
        assert answer(tmp_path, "claim", id)[:2] == (AUTHOR, "")


def test_the_document_begins_with_the_counts(finished):
    of = document.guideline("stard-ai")
    records = cited_records.read(finished)
    answers = document.filled(of, records)
    states = [item.answer(records).state for item in of.items]
    text = document.text(of, records, answers)
    assert text.startswith("# STARD-AI, 2025")
    counts = tuple(states.count(state) for state in (RUN, PARTLY, AUTHOR))
    assert sum(counts) == 48
    assert min(counts) > 0
    assert "{} answered from the run, {} partly, {} for the author.".format(*counts) in text
    assert document.values(of, records, answers)["counts"] == document.counts(answers)
    for item in of.items:
        assert f"### {item.id}. {item.subject}\n" in text
    label = document.guideline("model-facts")
    text = document.text(label, records, document.filled(label, records))
    assert f"### {label.items[0].subject}\n" in text


def test_a_few_places_within_one_object_are_named_one_by_one():
    few = ["a.json: x.b", "a.json: x.c"]
    assert document.shortened(few) == few
    assert document.shortened([*few, "a.json: x.d[0]", 'a.json: x["e f"]']) == ["a.json: x"]
    lists = [f"a.json: x[{i}].{key}" for i in range(3) for key in "bcd"]
    assert document.shortened(lists) == ["a.json: x"]
    assert document.shortened(["a.json: x", "a.json: x.c.d", "a.json: xy"]) == [
        "a.json: x",
        "a.json: xy",
    ]


def command(capsys, *arguments):
    status = cli.main(["checklist", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_writes_the_document_and_prints_the_counts(finished, tmp_path, capsys):
    out = tmp_path / "claim.md"
    status, printed, _ = command(capsys, finished, "--for=claim", f"--out={out}")
    assert status == 0
    assert printed.startswith("CLAIM, update of 2024 (44 items): ")
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# CLAIM")
    status, printed, _ = command(capsys, finished, "--for=claim")
    assert printed.strip() == text.strip()
    _, printed, _ = command(capsys, finished, "--for=claim", "--json")
    assert [item["id"] for item in json.loads(printed)["items"]] == PUBLISHED["claim"]


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ({"config": {}, "results": {}}, ["--for=clam"], "Unknown guideline 'clam': did you mean"),
        ({}, ["--for=claim"], "is no run: it has no config.json, results.json, summary.json"),
        ({"config": {"labels": ["a"]}}, ["--for=claim"], "is not finished: it has no results.json"),
        ({"config": {"arms": "a=b"}}, ["--for=claim"], "is not finished: it has no summary.json"),
        ({"results": {"test": 1}}, ["--for=claim"], "results.json is damaged"),
        ({"config": {}}, ["--for=claim", "--out=a.docx"], "does not end in .md"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, files, arguments, message):
    write_json(tmp_path, **files)
    status, printed, error = command(capsys, tmp_path, *arguments)
    assert status == 1
    assert message in error
    assert "Traceback" not in error
    assert not printed


def test_a_backbone_and_a_folder_that_is_not_there_are_refused(finished, tmp_path, capsys):
    assert "does not exist" in command(capsys, tmp_path / "absent", "--for=claim")[2]
    results = json.loads((finished / "results.json").read_text())
    write_description(tmp_path / "backbone", results, kind="trunk")
    assert "is a backbone" in command(capsys, tmp_path / "backbone", "--for=claim")[2]
