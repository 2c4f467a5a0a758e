"""The leaderboard of a suite of tiny studies: its numbers are those of the studies."""

import csv
import types
import zlib
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from fake_probe import FakeProbe
from json_file import read_json
from small_study import write_hospital
from small_suite import suite_config

from remedis import suite
from remedis.errors import UserError
from remedis.evaluation.imported.import_scores import import_predictions, read_scores
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import run_study
from remedis.reporting import leaderboard
from remedis.reporting.leaderboard.leaderboard_page import page
from remedis.suite import board, board_record

HTML = "{http://www.w3.org/1999/xhtml}"


class OwnNoise(FakeProbe):
    """A probe whose noise is its own, and less with more labelled patients."""

    def scores(self, split, *seed):
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), *seed])
        strength = {"one": 3.0, "two": 1.0}.get(self.name, 0.3)
        labels = np.nan_to_num(split.targets(), nan=0.5)
        return strength * labels + rng.normal(size=labels.shape)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("suite")
    inside, north, south = (
        write_hospital(root / name, i, dark)
        for i, (name, dark) in enumerate((("id", 240), ("north", 0), ("south", 10)))
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_study, "ProbeArm", OwnNoise)
        config = suite_config({"north": (inside, north), "south": (inside, south)})
        result = suite.run(config, root / "run")
    return root / "run", result


def test_numbers_are_those_of_the_studies(made):
    folder, result = made
    found = board.of(result.studies, workdir=folder)
    assert [of["directory"] for of in found["sets"]] == ["sets/north", "sets/south"]
    assert found["left_out"] == []
    for contest in found["contests"]:
        summary = read_json(folder / "sets" / contest["set"] / "summary.json")
        points = {
            p["arm"]: p["mean"] for p in summary["points"] if p["patients"] == contest["patients"]
        }
        for standing in contest["standings"]:
            for key in ("value", "low", "high"):
                assert standing[key] == pytest.approx(points[standing["arm"]][key], abs=1e-12)
        paired = {
            frozenset((p["arm"], p["against"])): p["difference"]
            for p in summary["paired"]
            if p["patients"] == contest["patients"]
        }
        assert len(contest["differences"]) == len(paired) == 3
        assert contest["factor"] >= 1
        for one in contest["differences"]:
            single = paired[frozenset((one["arm"], one["against"]))]
            assert abs(one["value"]) == pytest.approx(abs(single["value"]), abs=1e-12)
            if max(map(abs, (one["low"], one["high"], single["low"], single["high"]))) < 1:
                width = (single["high"] - single["low"]) * contest["factor"]
                assert one["high"] - one["low"] == pytest.approx(width, abs=1e-12)
    last = found["overall"][-1]
    assert (last["budget"], last["sets"]) == ("100%", ["north", "south"])
    means = {s["arm"]: s["value"] for s in last["standings"]}
    of_sets = [c["standings"] for c in found["contests"] if c["budget"] == "100%"]
    for arm, mean in means.items():
        own = [s["value"] for standings in of_sets for s in standings if s["arm"] == arm]
        assert mean == pytest.approx(np.mean(own), abs=1e-12)
    assert means["one"] > means["thumbnails"]
    # Every arm chose among as many candidates.
    assert {(t["cells"], t["candidates"]) for t in found["tuning"]} == {(8, 48)}
    assert found["arms"]["thumbnails"]["floor"]


def test_sets_with_a_test_image_or_trainings_in_common_are_one_group():
    def measured(tests, trained, trainings):
        of = [
            types.SimpleNamespace(table=pd.DataFrame({"path": list(names)}))
            for names in (tests, trained)
        ]
        hashes = [pd.Series(list(names), list(names)) for names in (tests, trained)]
        inside = types.SimpleNamespace(train=of[1], hashes=hashes[1])
        data = types.SimpleNamespace(test=of[0], hashes=hashes[0], inside=inside)
        settings = types.SimpleNamespace(trainings=lambda mode: trainings)
        return types.SimpleNamespace(study=types.SimpleNamespace(data=data, settings=settings))

    def groups(sets, trainings=1):
        made = [measured(tests, trained, trainings) for tests, trained in sets]
        return board._groups(made, "finetune")

    assert groups([("ab", "x"), ("cd", "x")]) == [0, 1]
    assert groups([("ab", "x"), ("cd", "x")], trainings=3) == [1, 1]
    assert groups([("ab", "x"), ("cd", "y"), ("bc", "z"), ("e", "w")]) == [2, 2, 2, 3]


def test_an_unfinished_arm_is_left_out_of_its_set_and_said(made):
    _, result = made
    cells = result.studies["south"].run / "cells"
    kept = {}
    for name in sorted(file.name for file in cells.glob("two-probe-*"))[:2]:
        kept[name] = (cells / name).read_bytes()
        (cells / name).unlink()
    try:
        found = board.of(result.studies)
    finally:
        for name, content in kept.items():
            (cells / name).write_bytes(content)
    assert found["left_out"] == ["south: two (probe) has 2 cells to do and is left out."]
    arms = {c["set"]: [s["arm"] for s in c["standings"]] for c in found["contests"]}
    assert arms == {"north": ["one", "two", "thumbnails"], "south": ["one", "thumbnails"]}
    assert {tuple(of["sets"]) for of in found["overall"]} == {("north",)}
    none = {"south": result.studies["south"]}
    hidden = cells.rename(cells.with_name("hidden"))
    try:
        with pytest.raises(UserError, match=r"^No arm has all of its cells in any data set yet"):
            board.of(none)
    finally:
        hidden.rename(cells)


@pytest.mark.guarantee
def test_predictions_of_others_are_rows_beside_the_arms(made, tmp_path):
    _, result = made
    study = result.studies["north"]
    images = study.data.test
    cell = study.cells[Cell("one", "probe", 0, 0)]
    table = pd.DataFrame({"image": [f"elsewhere/{path}" for path in images.table["path"]]})
    for i, label in enumerate(images.labels):
        table[f"{label}_score"] = 1 / (1 + np.exp(-cell[:, i].astype(float)))
        table[label] = images.targets()[:, i].astype(int)
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "theirs.csv", index=False)
    import_predictions(read_scores(tmp_path / "theirs.csv"), tmp_path / "theirs", resamples=40)
    found = board.of(result.studies, predictions={"Theirs": {"north": tmp_path / "theirs"}})
    assert found["arms"]["Theirs"]["imported"]
    first, *_ = found["contests"]
    assert (first["set"], first["budget"]) == ("north", "0")
    values = {s["arm"]: s["value"] for s in first["standings"]}
    assert values["Theirs"] == pytest.approx(values["one"], abs=1e-12)
    (same,) = [d for d in first["differences"] if {d["arm"], d["against"]} == {"one", "Theirs"}]
    assert (same["value"], same["tied"]) == (pytest.approx(0, abs=1e-12), True)
    # It takes part over several sets only if it is in all of them.
    assert all(len(of["standings"]) == 3 for of in found["overall"])
    alone = {"north": study}
    found = board.of(alone, predictions={"Theirs": {"north": tmp_path / "theirs"}})
    standings = found["overall"][-1]["standings"]
    assert [s["arm"] for s in standings] == ["one", "two", "thumbnails", "Theirs"]
    assert page(found, {}, "red").count("Theirs (NOT OURS)") > 2


def test_the_page_the_tables_and_the_figure(made):
    folder, result = made
    with pytest.raises(UserError, match=r"holds no finished comparison: board.json is missing"):
        leaderboard.write(folder)
    board.write(result.studies, folder, "Which one?", ["Set west: no images."])
    (folder / "sets" / "north" / "report.html").write_text("made by another test")
    written = leaderboard.write(folder)
    files = [folder / f"leaderboard.{kind}" for kind in ("html", "csv", "md", "svg")]
    first = [file.read_bytes() for file in files]
    leaderboard.write(folder)
    assert first == [file.read_bytes() for file in files]

    root = ElementTree.fromstring(written.read_text(encoding="utf-8"))
    links = {a.get("href") for a in root.iter("a")}
    assert links == {"sets/north/report.html"}  # south has no report yet
    text = "".join(root.itertext())
    assert "UNFINISHED. Set west: no images." in text
    assert "TOO FEW: 2 draws of labelled patients" in text
    assert "RANDOM WEIGHTS: nothing here was pretrained." in text
    assert "thumbnails (FLOOR, no network)" in text
    assert "Some sets have the same in-distribution data" in text
    with open(files[1], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = board_record.read(folder)
    assert len(rows) == 3 * (len(found["contests"]) + len(found["overall"]))
    assert rows[0]["floor"] == "False"
    assert float(rows[0]["value"]) == found["contests"][0]["standings"][0]["value"]
    markdown = files[2].read_text(encoding="utf-8")
    assert "| arm | [north](sets/north/report.html) | south |" in markdown
    assert files[3].read_text(encoding="utf-8").startswith("<?xml")
