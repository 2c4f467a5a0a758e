"""The arm of thumbnails: a floor that a study has beside its networks, in the mode `probe`."""

import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from PIL import Image
from small_study import summary_of

from remedis import label_budget
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.linear_probe import linear_probe
from remedis.label_budget import thumbnail_arm
from remedis.label_budget.arm import InDistributionScores
from remedis.label_budget.run_study import studies_of
from remedis.reporting import label_budget_report


def by_hand(images, side):
    """The grey features from the files alone."""
    rows = []
    for path in images.absolute_paths():
        grey = Image.open(path).convert("L")
        small = np.asarray(grey.resize((side, side), Image.Resampling.BOX)) / 255
        shares = np.bincount(np.asarray(grey).ravel() // 16, minlength=16) / np.asarray(grey).size
        rows.append(np.concatenate([small.ravel(), shares]))
    return np.array(rows, np.float32)


def test_the_floor_is_a_probe_of_thumbnails(study_config, tmp_path):
    config = study_config(arms="floor=thumbnails:8", baseline="floor", budgets="0", seeds=1)
    assert label_budget.run(config, tmp_path)
    found = summary_of(tmp_path)
    assert found["arms"]["floor"]["floor"]
    assert not found["arms"]["floor"]["random_weights"]
    said = "NO MODEL, a floor: logistic regression on 8x8 pixels and a grey histogram of 16 bins."
    assert found["arms"]["floor"]["provenance"]["description"] == said
    inside = studies_of(config, tmp_path)[0].data.inside
    train, validation, test = (
        by_hand(s, 8) for s in (inside.train, inside.validation, inside.test)
    )
    probe = linear_probe(
        train,
        inside.train.targets(),
        validation,
        inside.validation.targets(),
        validation_groups=inside.validation.table["patient_id"],
    )
    scores = InDistributionScores.read(tmp_path / "id" / "floor-probe.npz")
    np.testing.assert_allclose(scores.id_test, probe.logits(test), atol=1e-5)
    # A square darkens or lightens the thumbnail.
    at_home = {of["arm"]: of["mean"]["value"] for of in found["id"]}
    assert at_home["floor"] > 0.6


@pytest.mark.guarantee
def test_the_floor_has_no_cells_of_fine_tuning(study_config, tiny_checkpoint, tmp_path):
    config = study_config(
        arms=f"floor=thumbnails:12; net={tiny_checkpoint}",
        baseline="net",
        modes=("probe", "finetune"),
        budgets="0",
        seeds=1,
        select="learning_rate=1.6",
    )
    assert "floor" not in str(
        [line for line in label_budget.list_cells(config, tmp_path).splitlines() if "finet" in line]
    )
    assert label_budget.run(config, tmp_path)
    found = read_json(tmp_path / "summary.json")
    modes = {(p["arm"], p["mode"]) for p in found["points"]}
    assert modes == {("floor", "probe"), ("net", "probe"), ("net", "finetune")}
    assert {row["mode"] for row in found["paired"]} == {"probe"}
    assert list(found["tuning"]["finetune"]["arms"]) == ["net"]
    assert found["cells"] == {"done": 6, "planned": 6}
    label_budget_report.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "floor is a floor and no network: thumbnails and histograms" in page
    assert "RANDOM WEIGHTS: nothing here was pretrained" in page  # of the networks


def test_a_missing_cell_is_still_missed():
    cells = [Cell(arm, "probe", n, 0) for arm in ("floor", "net") for n in (0, 8)]
    cells += [Cell("net", "finetune", n, 0) for n in (0, 8)]
    modes = {"floor": ("probe",), "net": ("probe", "finetune")}
    grid = complete_grid(cells, "net", modes_of=modes)
    assert (grid.arms_of("probe"), grid.arms_of("finetune")) == (("floor", "net"), ("net",))
    with pytest.raises(UserError, match="1 of the study's 6 cells are missing, such as floor-prob"):
        complete_grid(cells[:1] + cells[2:], "net", modes_of=modes)
    with pytest.raises(UserError, match="2 of the study's 8 cells are missing, such as floor-fine"):
        complete_grid(cells, "net")


def images_of(pixels, root):
    for i, array in enumerate(pixels):
        Image.fromarray(array).save(root / f"{i}.png")
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(len(pixels))], "x": 0})
    table = table.assign(patient_id=None, study_id=None, site=None, split="train")
    return Manifest(table, ("x",), root, "made up")


def test_colours_count_where_images_have_them(tmp_path):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (2, 40, 30), dtype=np.uint8)
    stacked = np.repeat(grey[1][..., None], 3, axis=2)
    same = images_of([*grey, stacked], tmp_path)
    rows = thumbnail_arm.features(same)
    assert rows.shape == (3, 12 * 12 + 16)
    np.testing.assert_array_equal(rows[1], rows[2])  # grey stays grey, however it is stored
    np.testing.assert_allclose(rows, by_hand(same, 12), atol=1e-7)
    np.testing.assert_allclose(rows[:, -16:].sum(axis=1), 1, rtol=1e-6)
    of_colours = thumbnail_arm.features(same, colour=True)
    assert of_colours.shape == (3, 3 * 160)
    swapped = stacked.copy()
    swapped[..., 0] = 0
    for image, differs in ((stacked, False), (swapped, True)):
        measured = thumbnail_arm.measured(image / np.float32(255), 12)[None]
        assert thumbnail_arm.has_colour(measured) is differs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": "two=thumbnails:1"}, "config.arms has two=thumbnails:1: thumbnails:1: the side"),
        ({"arms": "two=thumbnails:"}, "config.arms has two=thumbnails:: thumbnails:: the side"),
        (
            {"arms": "two=thumbnails:12; x=scratch:50x1", "modes": ("probe", "finetune")},
            "config.baseline is two (thumbnails:12), which is no network and cannot be fine-tuned",
        ),
        (
            {"arms": "two=thumbnails:12; x=scratch:50x1", "modes": ("finetune",)},
            "config.arms has two=thumbnails:12, which is no network and has the mode probe alone",
        ),
        (
            {
                "arms": "one=thumbnails:12; two=scratch:50x1",
                "modes": ("probe", "finetune"),
                "primary": "one, finetune, 100%",
            },
            "config.primary names one (thumbnails:12) in the mode finetune, and it is no network",
        ),
    ],
)
def test_mistakes_are_a_sentence(study_config, tmp_path, changes, message):
    with pytest.raises(UserError) as caught:
        label_budget.run(study_config(**changes), tmp_path)
    assert str(caught.value).startswith(message)
