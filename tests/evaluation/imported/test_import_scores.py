"""Predictions of others as an evaluation: exact numbers, truth from elsewhere, bad files."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import rankdata

from remedis.data import manifest as manifests
from remedis.errors import UserError
from remedis.evaluation import predictions_file, results_record
from remedis.evaluation.imported.import_scores import import_predictions, read_scores

NUMBER, POSITIVE = 624, 390  # as in the test set of paediatric radiographs that many score


@pytest.fixture(scope="module")
def public():
    """A table as others publish it: file names, probabilities and classes."""
    rng = np.random.default_rng(0)
    target = (np.arange(NUMBER) < POSITIVE).astype(int)
    logits = np.round(rng.normal(size=NUMBER) + 1.6 * target - 1, 2)  # some scores tie
    return pd.DataFrame(
        {
            "Filename": [f"test/{'NP'[t]}/person{i}.jpeg" for i, t in enumerate(target)],
            "pneumonia_prob": expit(logits),
            "logit": logits,
            "label": target,
        }
    )


def written(table, path):
    table.to_csv(path, index=False)
    return path


def imported(table, folder, truth=None, reading=None, **options):
    """Returns the results of a table that is written as a file and imported."""
    folder.mkdir(exist_ok=True)
    file = written(table, folder / "their.csv")
    reading = {"labels": truth.labels if truth else None, **(reading or {})}
    scores = read_scores(file, **reading)
    return import_predictions(scores, folder / "out", truth=truth, resamples=50, **options)


def by_ranks(target, score):
    """The AUROC as the statistic of Mann and Whitney, from mid-ranks."""
    positive, ranks = int(target.sum()), rankdata(score)
    below = ranks[target == 1].sum() - positive * (positive + 1) / 2
    return below / (positive * (len(target) - positive))


def test_a_public_table_reproduces_its_auroc_and_has_an_interval(public, tmp_path):
    results = imported(public.drop(columns="logit"), tmp_path)
    area = results["test"]["labels"]["pneumonia"]
    assert abs(area["value"] - by_ranks(public["label"], public["pneumonia_prob"])) < 1e-12
    assert area["low"] < area["value"] < area["high"]
    assert (area["patients"], area["positives"]) == (NUMBER, POSITIVE)
    assert "every image counts as a patient of its own" in results["test"]["warnings"][-1]

    read = results_record.read(tmp_path / "out")  # valid by its record
    assert read["imported"]["provenance"] == read["checkpoint"]["origin"] == "not ours"
    assert read["imported"]["name"] == "their"
    assert read["imported"]["sha256"] == read["checkpoint"]["sha256"]
    assert read["imported"]["columns"]["score/pneumonia"] == "pneumonia_prob"
    table = predictions_file.read(tmp_path / "out")
    assert table["score/pneumonia"].tolist() == public["pneumonia_prob"].tolist()
    assert set(table["split"]) == {"test"}
    brier = np.mean((public["label"] - public["pneumonia_prob"]) ** 2)
    assert results["test"]["metrics"]["brier"]["labels"]["pneumonia"]["value"] == pytest.approx(
        brier, abs=1e-12
    )


def test_scales_are_the_same_scores(public, tmp_path):
    frame = public.drop(columns="pneumonia_prob").rename(columns={"logit": "pneumonia_logit"})
    of_logits = imported(frame, tmp_path / "logit", reading={"scale": "logit"})
    frame = public.drop(columns="logit")
    percent = frame.assign(pneumonia_prob=100 * frame["pneumonia_prob"])
    of_percent = imported(percent, tmp_path / "percent", reading={"scale": "percent"})
    ranks = frame.assign(pneumonia_prob=rankdata(frame["pneumonia_prob"]) + 1000)
    of_ranks = imported(ranks, tmp_path / "rank", reading={"scale": "rank"})
    areas = [of["test"]["labels"]["pneumonia"] for of in (of_logits, of_percent, of_ranks)]
    assert areas[0] == areas[1] == areas[2]
    assert of_logits["test"]["ranked_by"] == "log odds"
    slopes = [
        of["test"]["metrics"]["calibration_slope"]["labels"]["pneumonia"]["value"]
        for of in (of_logits, of_percent)
    ]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-6)
    assert "brier" not in of_ranks["test"]["metrics"]
    # Numbers in [0, 1] that only order the images are no probabilities either.
    of_shares = imported(frame, tmp_path / "share", reading={"scale": "rank"})
    assert of_shares["test"]["labels"]["pneumonia"] == areas[0]
    assert set(of_shares["test"]["metrics"]) == set(of_ranks["test"]["metrics"])


def test_a_parquet_file_and_chosen_rows_are_read(public, tmp_path):
    both = pd.concat(
        [
            public.assign(model="good"),
            public.assign(model="bad", pneumonia_prob=0.5 * public["pneumonia_prob"]),
        ]
    )
    both.assign(embedding=[[1.0, 2.0]] * len(both)).to_parquet(tmp_path / "both.parquet")
    stated = "pneumonia=pneumonia_prob"
    scores = read_scores(tmp_path / "both.parquet", columns=stated, where="model=good")
    assert scores.scores["pneumonia"].tolist() == public["pneumonia_prob"].tolist()
    assert scores.file.where == {"model": "good"}
    with pytest.raises(UserError, match=r"image occurs.*|images occur") as error:
        read_scores(tmp_path / "both.parquet", columns=stated)
    assert str(error.value).endswith(
        "and the column 'model' tells its rows apart, with the values 'bad', 'good', such as of "
        "several models: take one with where='model=bad'."
    )
    with pytest.raises(UserError, match="where names model=best, which no row of"):
        read_scores(tmp_path / "both.parquet", columns=stated, where="model=best")


@pytest.fixture(scope="module")
def data(public, tmp_path_factory):
    """The same images as labelled data of two images per patient."""
    folder = tmp_path_factory.mktemp("data")
    table = pd.DataFrame(
        {
            "path": "chest/" + public["Filename"],
            "patient_id": [f"p{i // 2}" for i in range(NUMBER)],
            "sex": np.array(["F", "M"])[np.arange(NUMBER) // 4 % 2],
            "pneumonia": public["label"],
        }
    )
    return manifests.read_csv(written(table, folder / "manifest.csv"), ["pneumonia"])


def test_labelled_data_give_truth_patients_and_groups(public, data, tmp_path):
    theirs = pd.DataFrame(
        {
            "image": [name.rpartition("/")[2][:-5] for name in public["Filename"]],
            "score": public["pneumonia_prob"],
        }
    ).iloc[::-1]
    results = imported(theirs, tmp_path, data)
    area = results["test"]["labels"]["pneumonia"]
    assert abs(area["value"] - by_ranks(public["label"], public["pneumonia_prob"])) < 1e-12
    assert area["patients"] == NUMBER // 2
    assert results["imported"]["matched_by"] == "file name without suffix"
    assert set(results["test"]["subgroups"]) == {"sex"}
    table = predictions_file.read(tmp_path / "out")
    assert table["path"].tolist() == data.table["path"].tolist()
    assert table["score/pneumonia"].tolist() == public["pneumonia_prob"].tolist()


def test_images_without_a_score_stop_the_import_or_are_counted(public, data, tmp_path):
    theirs = public[["Filename", "pneumonia_prob"]]
    fewer = pd.concat([theirs.iloc[24:], theirs.iloc[:1].assign(Filename="other.jpeg")])
    with pytest.raises(UserError) as error:
        imported(fewer, tmp_path, data)
    said = str(error.value)
    assert "has no score of 24 of 624 images of" in said
    assert "such as 'chest/test/P/person0.jpeg'" in said
    assert "allow_missing leaves out images without a score" in said
    results = imported(fewer, tmp_path, data, allow_missing=True)
    assert results["imported"]["images"] == 600
    assert results["imported"]["without_score"] == 24
    assert results["imported"]["without_truth"] == 1
    assert results["test"]["warnings"][-1].startswith("24 images have no score and are left out")
    with pytest.raises(UserError, match="its first image is 'x0'; name the column of images"):
        imported(theirs.assign(Filename=[f"x{i}" for i in range(NUMBER)]), tmp_path, data)


def test_swapped_labels_are_said_and_nothing_is_turned_round(public, tmp_path):
    table = public.drop(columns="logit")
    upright = imported(table, tmp_path / "upright")
    swapped = imported(table.assign(label=1 - table["label"]), tmp_path / "swapped")
    areas = [of["test"]["labels"]["pneumonia"]["value"] for of in (upright, swapped)]
    assert areas[1] == pytest.approx(1 - areas[0])
    said = [
        any("labels may be swapped" in warning for warning in of["test"]["warnings"])
        for of in (upright, swapped)
    ]
    assert said == [False, True]
    rng = np.random.default_rng(1)  # chance is no swap
    chance = imported(table.assign(pneumonia_prob=rng.random(NUMBER)), tmp_path / "chance")
    assert not any("swapped" in warning for warning in chance["test"]["warnings"])


def changed(column, row, value):
    def change(table):
        table = table.astype({column: object})
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (
            changed("Filename", 5, "test/P/person0.jpeg"),
            {},
            "row 7: 'test/P/person0.jpeg' is there",
        ),
        (changed("Filename", 5, ""), {}, "row 7, column 'Filename': got ''; expected the name of"),
        (
            changed("pneumonia_prob", 3, ""),
            {},
            "row 5, column 'pneumonia_prob': got ''; expected a score of every image; "
            "allow_missing leaves out images without one",
        ),
        (changed("pneumonia_prob", 3, "NaN"), {}, "row 5, column 'pneumonia_prob': got 'NaN'"),
        (changed("pneumonia_prob", 3, "inf"), {}, "got 'inf'; expected a finite number"),
        (changed("pneumonia_prob", 3, "high"), {}, "got 'high'; expected a finite number"),
        (
            lambda table: table.assign(pneumonia_prob=100 * table["pneumonia_prob"]),
            {},
            "expected probability from 0 to 1; say what the scores are with scale='percent', "
            "scale='logit' or scale='rank'",
        ),
        (
            lambda table: table.assign(pneumonia_prob=4 * table["pneumonia_prob"] - 2),
            {},
            "say what the scores are with scale='logit' or scale='rank'",
        ),
        (
            lambda table: table.assign(pneumonia_prob=200 * table["pneumonia_prob"]),
            {"scale": "percent"},
            "expected percent from 0 to 100",
        ),
        (lambda table: table, {"scale": "logits"}, "Unknown value of scale 'logits': did you mean"),
        (changed("label", 0, "2"), {}, "row 2, column 'label': got '2'; expected 1, 0, -1"),
        (lambda table: table.iloc[:0], {}, "has a header but no rows"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(public, tmp_path, change, options, said):
    stated = "image=Filename; pneumonia=pneumonia_prob; label/pneumonia=label"
    table = change(public.drop(columns="logit"))
    with pytest.raises(UserError) as error:
        imported(table, tmp_path, reading={"columns": stated, **options})
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_rows_without_a_score_are_left_out_if_asked(public, tmp_path):
    table = changed("pneumonia_prob", [3, 4], "")(public.drop(columns="logit"))
    stated = "pneumonia=pneumonia_prob; label/pneumonia=label"
    options = {"columns": stated, "allow_missing": True}
    results = imported(table, tmp_path, reading=options)
    assert results["imported"]["without_score"] == 2
    assert results["test"]["images"] == NUMBER - 2
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
