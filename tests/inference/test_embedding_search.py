"""Similar images, duplicates and outliers of files of embeddings, without a network."""

import hashlib

import embedding_records
import numpy as np
import pandas as pd
import pytest

from remedis.data.tables.strings import STRING
from remedis.errors import UserError
from remedis.inference import embedding_file, outlying_images, similar_images
from remedis.inference.duplicate_images import find_duplicates
from remedis.inference.outlying_images import find_outliers
from remedis.inference.similar_images import LabelShare, search
from remedis.reporting import search_report

ROWS = embedding_records.rows(12, 6)


def text(values):
    return pd.array(values, dtype=STRING)


def write(file, rows=ROWS, record=None, **columns):
    """Writes embeddings of two images per patient."""
    count = len(rows)
    patients = text([f"p{i // 2}" for i in range(count)])
    table = embedding_records.table(count, **({"patient_id": patients} | columns))
    return embedding_file.write(file, table, rows, embedding_records.record(**(record or {})))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    labels = np.array([1, 1, 0, 0, 1, np.nan, -1, 0, 0, 0, 0, 0])
    folder = tmp_path_factory.mktemp("file")
    write(folder / "e.npz", ill=labels, record={"labels": ["ill"]})
    return embedding_file.read(folder / "e.npz")


def test_a_row_a_path_and_its_end_are_the_same_query(file):
    found = search(file, [4, "4", "ü/4.png", "4.png"], 3)
    assert [query.row for query in found.queries] == [4] * 4
    assert (found.neighbours.rows == found.neighbours.rows[0]).all()
    assert 4 not in found.neighbours.rows
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    want = np.argsort(-np.delete(unit @ unit[4], 4))[:3]
    np.testing.assert_array_equal(found.neighbours.rows[0], want + (want >= 4))


def test_the_table_has_rank_similarity_ids_and_labels(file):
    table = search(file, ["3.png", 7], 2).table
    assert table["query"].tolist() == ["ü/3.png"] * 2 + ["ü/7.png"] * 2
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert (table["similarity"].diff()[[1, 3]] <= 0).all()
    assert table["path"].tolist() == [f"ü/{row}.png" for row in table["row"]]
    assert {"patient_id", "ill"} <= set(table)


def test_images_of_the_own_patient_are_left_out_if_asked(file):
    everything = search(file, [6], 11)
    assert 7 in everything.neighbours.rows
    others = search(file, [6], 11, other_patients=True)
    assert set(others.neighbours.rows[0]) == set(range(12)) - {6, 7} | {-1}
    assert len(others.table) == 10
    unknown = write(file.path.with_name("u.npz"), patient_id=text([None] * 12))
    with pytest.raises(UserError, match=r"names no patient.*leave out other_patients"):
        search(unknown, [6], other_patients=True)


def test_shares_of_labels_count_known_ones_alone(file):
    found = search(file, [11], 11)
    assert found.label_shares(0) == [LabelShare("ill", 3, 9, 3, 10)]


def test_a_file_with_the_bytes_of_an_image_is_that_image(tmp_path):
    (tmp_path / "copy.png").write_bytes(b"pixels")
    hashes = text([*["0" * 64] * 5, hashlib.sha256(b"pixels").hexdigest(), *["0" * 64] * 6])
    file = write(tmp_path / "e.npz", sha256=hashes)
    (query,) = search(file, [str(tmp_path / "copy.png")], 2).queries
    assert (query.name, query.row) == ("ü/5.png", 5)


@pytest.mark.parametrize(
    ("queries", "options", "sentence"),
    [
        ([12], {}, r"has no row 12; expected 0 to 11, or a path\.$"),
        ([-1], {}, "has no row -1"),
        (["no.png"], {}, r"'no.png' is neither in .*; expected a path such as 'ü/0.png', a row"),
        (["IMAGE"], {}, r"is not in .*set checkpoint to trial, which made the file\.$"),
        ([], {}, "There is no query; name one or more with query"),
        ([0], {"k": 10_001}, "k is 10,001; expected 1 to 10,000"),
        ([0], {"engine": "annoy"}, "Unknown engine 'annoy'"),
    ],
)
def test_a_wrong_query_is_one_sentence(file, tmp_path, queries, options, sentence):
    (tmp_path / "new.png").write_bytes(b"other pixels")
    named = [str(tmp_path / "new.png") if query == "IMAGE" else query for query in queries]
    with pytest.raises(UserError, match=sentence):
        search(file, named, **options)


def test_the_end_of_several_paths_is_refused(tmp_path):
    names = text([f"{'ab'[i % 2]}/{i // 2}.png" for i in range(12)])
    file = write(tmp_path / "e.npz", path=names)
    with pytest.raises(UserError, match=r"the end of 2 paths in .*, a/3.png, b/3.png; write more"):
        search(file, ["3.png"])
    assert search(file, ["b/3.png"]).queries[0].row == 7


def test_duplicates_form_groups_and_leave_the_first(tmp_path):
    rows = ROWS.copy()
    rows[[3, 8]] = rows[1]  # patients p0, p1 and p4
    rows[5] = 2 * rows[4]  # one patient
    hashes = text([f"{i}" * 64 for i in (0, 1, 2, 1, 4, 5, 6, 7, 8, 9)] + ["a" * 64, "b" * 64])
    splits = text(["train"] * 8 + ["test"] * 4)
    found = find_duplicates(write(tmp_path / "e.npz", rows, sha256=hashes, split=splits))
    assert found.groups == [[1, 3, 8], [4, 5]]
    assert found.table["group"].tolist() == [1, 1, 1, 2, 2]
    assert found.table["same_file"].tolist() == [False, True, False, False, False]
    np.testing.assert_allclose(found.table["similarity"].astype(float), 1)
    assert np.flatnonzero(~found.kept).tolist() == [3, 5, 8]
    assert (found.crossing("patient_id"), found.crossing("split"), found.same_files()) == (1, 1, 1)
    none = find_duplicates(write(tmp_path / "none.npz"))
    assert none.groups == []
    assert none.kept.all()
    assert list(none.table)[:2] == ["group", "row"]


def test_outliers_of_another_file_and_what_both_have_in_common(tmp_path):
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(40, 5)) + np.array([4, 0, 0, 0, 0])).astype(np.float32)
    file = write(tmp_path / "a.npz", rows)
    far = (rows + np.array([0, 9, 0, 0, 0])).astype(np.float32)
    other = write(tmp_path / "b.npz", far)
    found = find_outliers(file, other, k=3)
    assert found.auroc.low > 0.8
    assert (found.auroc.patients, found.auroc.positives) == (40, 20)
    assert found.table["score"].is_monotonic_decreasing
    assert len(found.table) == 40
    assert found.table["score"].iloc[0] == found.others.max()
    copies, ids = found.notes()
    assert copies.startswith("1 image of")  # the made-up images have one hash
    assert ids.startswith("20 patient ids of")
    alone = find_outliers(file, k=3)
    assert alone.auroc is None
    assert alone.notes() == []
    np.testing.assert_array_equal(alone.table["score"], np.sort(found.own)[::-1])
    np.testing.assert_array_equal(alone.own[alone.table["row"]], alone.table["score"])


def test_unknown_patients_are_said_where_they_tell_a_hospital_from_itself(tmp_path):
    """Images of one patient are each other's neighbours if nobody knows that they are."""
    rng = np.random.default_rng(0)

    def of_hospital(name, ids):
        people = 3 + rng.normal(size=(20, 1, 32))
        rows = (people + 0.3 * rng.normal(size=(20, 6, 32))).reshape(120, 32).astype(np.float32)
        patients = [f"{name}{i // 6}" if ids else pd.NA for i in range(120)]
        return write(tmp_path / f"{name}{ids}.npz", rows, patient_id=text(patients))

    known, unknown = of_hospital("a", True), of_hospital("b", False)
    assert find_outliers(known, of_hospital("c", True), k=5).auroc.low < 0.5
    wrong = find_outliers(unknown, known, k=5)
    assert wrong.auroc.value > 0.95
    assert wrong.auroc.low > 0.8
    assert wrong.notes()[0].startswith("120 images of")
    assert "without a patient id" in wrong.notes()[0]
    assert "AUROC is then too high" in wrong.notes()[0]
    assert (
        "interval of the AUROC may be too narrow" in find_outliers(known, unknown, k=5).notes()[0]
    )
    (alone,) = find_outliers(unknown, k=5).notes()
    assert alone.endswith("their scores too low.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weights": "1" * 64, "checkpoint": "mine"}, r"differ in the weights \(mine and trial\)"),
        ({"embedding": "pre_logits"}, r"in the kind of embedding \(pre_logits and"),
        ({"preprocess": "resize(9)"}, r"in the preprocessing \(resize\(9\) and"),
    ],
)
def test_files_that_were_made_otherwise_are_not_compared(file, change, sentence):
    other = write(file.path.with_name("other.npz"), record=change)
    with pytest.raises(UserError, match=sentence):
        find_outliers(file, other)


def test_files_without_patients_are_searched(tmp_path):
    table = embedding_records.table(12).drop(columns="patient_id")
    file = embedding_file.write(tmp_path / "e.h5", table, ROWS, embedding_records.record())
    assert similar_images.patient_ids(file).isna().all()
    assert len(outlying_images.find_outliers(file, k=2).own) == 12
    assert len(search(file, [0], 4).table) == 4


def test_a_group_is_said_to_be_a_chain(tmp_path):
    """Each image is like the next, and the last is not like the first."""
    angles = np.deg2rad(np.arange(0, 60, 2))
    file = write(tmp_path / "e.npz", np.stack([np.cos(angles), np.sin(angles)], 1).astype("f4"))
    found = find_duplicates(file, 0.999)
    assert len(found.groups) == 1
    assert found.table["similarity"].min() < 0.6
    assert search_report.of_duplicates(found).answer[0] == (
        "1 group with 30 images of 30, each a chain of pairs with a cosine similarity of 0.999 or "
        "more; without all but the first of each group, 1 image is left."
    )
