"""Imported predictions beside the arms of a suite."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from remedis.errors import UserError
from remedis.evaluation.imported.import_scores import import_predictions, read_scores
from remedis.evaluation.ranking import class_log_odds
from remedis.suite import imported

TRUTH = (np.arange(40) % 2).astype(np.float64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("imported")
    table = pd.DataFrame(
        {
            "image": [f"{i}.png" for i in range(40)],
            "sha256": [f"{i:064x}" for i in range(40)],
            "ill_score": np.linspace(0.1, 0.9, 40),
            "ill": TRUTH.astype(int),
        }
    )
    table.to_csv(place / "t.csv", index=False)
    import_predictions(read_scores(place / "t.csv"), place / "theirs", resamples=40)
    return place / "theirs"


def test_rows_name_sets_and_directories(folder):
    found = imported.rows(f"DenseNet: a={folder}, b={folder}; Other: b={folder}", ["a", "b"])
    assert found == {"DenseNet": {"a": folder, "b": folder}, "Other": {"b": folder}}
    assert imported.rows("", ["a"]) == {}
    with pytest.raises(UserError, match="Unknown set in predictions 'c'"):
        imported.rows(f"DenseNet: c={folder}", ["a", "b"])
    with pytest.raises(UserError, match="which holds no imported predictions; make them with"):
        imported.rows(f"DenseNet: a={folder.parent}", ["a"])
    with pytest.raises(UserError, match="expected NAME: SET=DIR"):
        imported.rows("DenseNet", ["a"])


def test_scores_follow_the_order_of_the_test_images(folder):
    order = [3, 0, 17]
    wanted = np.linspace(0.1, 0.9, 40)[order, None]
    truth = {"ill": TRUTH[order]}
    by_path = imported.scores(folder, [f"d/{i}.png" for i in order], truth)
    assert by_path == pytest.approx(wanted)
    by_hash = imported.scores(
        folder, [f"renamed{i}" for i in order], truth, [f"{i:064x}" for i in order]
    )
    assert by_hash == pytest.approx(wanted)


def test_what_does_not_fit_the_set_is_one_sentence(folder):
    paths = [f"{i}.png" for i in range(2)]
    with pytest.raises(UserError, match=r"has no score of 1 of 3 test images, such as 'x\.png'"):
        imported.scores(folder, [*paths, "x.png"], {"ill": TRUTH[:3]})
    with pytest.raises(UserError, match="has another truth of 'ill' for 2 of 2 test images"):
        imported.scores(folder, paths, {"ill": TRUTH[1::-1]})
    with pytest.raises(UserError, match="Unknown label in the predictions of"):
        imported.scores(folder, paths, {"sick": TRUTH[:2]})


def test_exclusive_classes_need_probabilities_that_add_to_one(tmp_path):
    rng = np.random.default_rng(0)
    names, classes = [f"{i}.png" for i in range(60)], ("a", "b", "c")
    true = np.arange(60) % 3
    logits = rng.normal(size=(60, 3)) + 2 * np.eye(3)[true]
    table = pd.DataFrame({"image": names})
    for i, name in enumerate(classes):
        table[f"{name}_prob"] = softmax(logits, axis=1)[:, i]
        table[name] = (true == i).astype(int)
    truth = {name: (true == i).astype(np.float64) for i, name in enumerate(classes)}

    def scores(table, folder):
        table.to_csv(tmp_path / "t.csv", index=False)
        import_predictions(read_scores(tmp_path / "t.csv"), tmp_path / folder, resamples=40)
        return imported.scores(tmp_path / folder, names, truth, task="multi_class")

    found = scores(table, "sound")
    assert class_log_odds(found) == pytest.approx(class_log_odds(logits))
    with pytest.raises(UserError, match="and the scores of an image do not add to 1; import the"):
        scores(table.assign(a_prob=0.5 * table["a_prob"]), "halved")
