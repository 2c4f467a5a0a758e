"""Near-identical embeddings against all pairs written out."""

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.evaluation import cosine_duplicates
from remedis.evaluation.cosine_duplicates import close_pairs, groups


@pytest.fixture(params=["one chunk", "many chunks"])
def chunks(request, monkeypatch):
    if request.param == "many chunks":
        monkeypatch.setattr(cosine_duplicates, "CHUNK", 17)
        monkeypatch.setattr(cosine_duplicates, "_BLOCK", 5)


def test_pairs_are_those_of_the_whole_matrix(chunks):
    rows = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    found = close_pairs(rows, 0.9)
    unit = rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    cosines = unit @ unit.T
    want = {(i, j) for i, j in zip(*np.nonzero(cosines >= 0.9), strict=True) if i < j}
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == want
    assert len(found.first) == len(want) > 20
    assert found.complete
    np.testing.assert_allclose(found.similarities, cosines[found.first, found.second], atol=1e-12)
    assert (np.diff(found.similarities) <= 1e-12).all()


def test_copies_are_found_at_a_similarity_of_1_and_form_groups(chunks):
    rows = np.random.default_rng(1).normal(size=(40, 300)).astype(np.float32)
    rows[[7, 31]] = rows[2]
    rows[39] = 4 * rows[11]
    rows[[20, 21]] = 0  # no direction, so not alike
    found = close_pairs(rows, 1.0)
    assert groups(found, 40) == [[2, 7, 31], [11, 39]]
    assert groups(close_pairs(rows[:2], 1.0), 2) == []


def test_a_chain_is_one_group():
    angles = np.deg2rad([0, 2, 4, 90])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = close_pairs(rows, float(np.cos(np.deg2rad(3))))
    assert groups(found, 4) == [[0, 1, 2]]
    assert len(found.first) == 2  # the ends of the chain are no pair


def test_the_search_ends_at_its_limit(monkeypatch, chunks):
    monkeypatch.setattr(cosine_duplicates, "MAX_PAIRS", 50)
    found = close_pairs(np.ones((60, 3)))
    assert not found.complete
    assert len(found.first) == 50


@pytest.mark.parametrize("similarity", [0, 1.5, -1, float("nan")])
def test_a_similarity_out_of_range_is_refused(similarity):
    with pytest.raises(UserError, match="expected above 0 and at most 1"):
        close_pairs(np.eye(3), similarity)
