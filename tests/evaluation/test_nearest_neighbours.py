import numpy as np
import pytest
from embedding_helpers import make_embeddings
from scipy.special import expit
from sklearn.neighbors import NearestNeighbors

from remedis.errors import UserError
from remedis.evaluation.nearest_neighbours import knn


def test_knn_agrees_with_a_plain_loop():
    x, y = make_embeddings(9, 80, 12, unknown=0.3)
    queries = make_embeddings(9, 95, 12)[0][80:]
    got = knn(x, y, queries, k=7)
    for label in range(y.shape[1]):
        known = np.isfinite(y[:, label])
        near = NearestNeighbors(n_neighbors=7, metric="cosine").fit(x[known].astype(float))
        distances, rows = near.kneighbors(queries.astype(float))
        for query in range(len(queries)):
            weights = np.exp((1 - distances[query]) / 0.07)
            want = (weights * y[known, label][rows[query]]).sum() / weights.sum()
            assert got[query, label] == pytest.approx(want, abs=1e-3)


def test_more_neighbours_than_images_and_an_embedding_of_zeros():
    x = np.array([[1.0, 0], [0, 1]], np.float32)
    y = np.array([[1.0], [0]])
    got = knn(x, y, np.array([[2.0, 0], [0, 0]], np.float32), k=9)
    assert got[0, 0] == pytest.approx(expit(1 / 0.07))
    assert got[1, 0] == pytest.approx(0.5)


def test_malformed_input_is_one_sentence():
    x, y = make_embeddings(0)
    with pytest.raises(UserError, match="k is 0; expected 1 or more"):
        knn(x, y, x, k=0)
    infinite = x.copy()
    infinite[7, 2] = np.inf
    with pytest.raises(UserError, match="embedding in row 7"):
        knn(infinite, y, x)
    y[:, 2] = np.nan
    with pytest.raises(UserError, match="Label number 2 is known of no image"):
        knn(x, y, x)
