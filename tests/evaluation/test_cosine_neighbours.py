"""Exact neighbours against another implementation, and in limits known beforehand."""

import builtins
import tracemalloc

import numpy as np
import pytest
from embedding_helpers import make_embeddings
from sklearn.neighbors import NearestNeighbors

from remedis.errors import UserError
from remedis.evaluation import cosine_neighbours
from remedis.evaluation.cosine_neighbours import NONE, nearest


@pytest.fixture(scope="module")
def rows():
    return make_embeddings(3, rows=230, columns=24)[0]


@pytest.fixture(params=["one chunk", "many chunks"])
def chunks(request, monkeypatch):
    if request.param == "many chunks":
        monkeypatch.setattr(cosine_neighbours, "CHUNK", 13)
        monkeypatch.setattr(cosine_neighbours, "_BLOCK", 7)


@pytest.mark.parametrize("engine", cosine_neighbours.ENGINES)
def test_the_neighbours_are_those_of_another_implementation(rows, engine, chunks):
    index, queries = rows[:200], rows[200:]
    got = nearest(index, queries, 9, engine=engine)
    twin = NearestNeighbors(n_neighbors=9, metric="cosine").fit(index.astype(float))
    distances, want = twin.kneighbors(queries.astype(float))
    np.testing.assert_array_equal(got.rows, want)
    np.testing.assert_allclose(got.similarities, 1 - distances, atol=1e-12)


def test_a_search_takes_little_memory_beside_the_index():
    index = np.ones((200_000, 64), np.float32)
    tracemalloc.start()
    try:
        nearest(index, index[:1], 3)
        assert tracemalloc.get_traced_memory()[1] < index.nbytes // 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("engine", cosine_neighbours.ENGINES)
def test_rows_of_the_same_group_are_left_out(rows, engine, chunks):
    groups = np.arange(230) // 40  # 30 in the last one
    got = nearest(rows, rows, 12, groups=groups, query_groups=groups, engine=engine)
    assert (groups[got.rows] != groups[:, None]).all()
    for i in (0, 77, 229):
        others = np.flatnonzero(groups != groups[i])
        want = nearest(rows[others], rows[[i]], 12)
        np.testing.assert_array_equal(got.rows[i], others[want.rows[0]])
    nobody = nearest(rows, rows, 1, groups=groups, query_groups=np.full(230, -1), engine=engine)
    np.testing.assert_array_equal(nobody.rows[:, 0], np.arange(230))


@pytest.mark.parametrize("engine", cosine_neighbours.ENGINES)
def test_ties_go_to_the_lower_row_however_many_there_are(rows, engine, chunks):
    # 100 copies of one image are more than FAISS is asked to propose.
    copies = np.concatenate([rows[:60], np.repeat(rows[[5]], 100, axis=0), rows[60:]])
    got = nearest(copies, 3 * rows[[5]], 6, engine=engine)
    np.testing.assert_array_equal(got.rows, [[5, 60, 61, 62, 63, 64]])
    np.testing.assert_allclose(got.similarities, 1, atol=1e-12)


@pytest.mark.parametrize("engine", cosine_neighbours.ENGINES)
def test_fewer_rows_than_neighbours_and_an_embedding_of_zeros(engine):
    index = np.array([[1.0, 0], [0, 2], [-3, 0]], np.float32)
    got = nearest(index, [[5.0, 0], [0, 0]], 4, engine=engine)
    np.testing.assert_array_equal(got.rows, [[0, 1, 2, NONE], [0, 1, 2, NONE]])
    np.testing.assert_array_equal(got.similarities, [[1, 0, -1, np.nan], [0, 0, 0, np.nan]])


def test_nearly_equal_embeddings_are_told_apart():
    # Float32 has no number between these cosines, 1 - 2e-10 and 1 - 8e-10.
    index = np.array([[1, 4e-5], [1, 2e-5], [1, 0]], np.float32)
    got = nearest(index, index[[2]], 3)
    np.testing.assert_array_equal(got.rows, [[2, 1, 0]])


@pytest.mark.parametrize(
    ("index", "queries", "options", "sentence"),
    [
        (np.eye(3), np.eye(2), {}, "2 numbers each and the index has 3"),
        (np.eye(2), np.eye(2), {"k": 0}, "k is 0; expected 1 to 10,000"),
        (np.eye(2), np.eye(2), {"engine": "fais"}, "Unknown engine 'fais': did you mean 'faiss'"),
        (np.eye(2), [[0, np.nan]], {}, r"row 0 \(from 0\) of the queries has NaN"),
        (np.zeros((0, 2)), np.eye(2), {}, r"the index have the shape \(0, 2\)"),
        (np.ones(2), np.eye(2), {}, r"the index have the shape \(2,\)"),
    ],
)
def test_a_mistake_is_one_sentence(index, queries, options, sentence):
    with pytest.raises(UserError, match=sentence):
        nearest(index, queries, **({"k": 1} | options))


def test_without_faiss_the_extra_is_named(monkeypatch):
    usual = builtins.__import__

    def without(name, *rest, **named):
        if name.partition(".")[0] == "faiss":
            raise ImportError("no faiss")
        return usual(name, *rest, **named)

    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'remedis\[faiss\]'"):
        nearest(np.eye(2), np.eye(2), 1, engine="faiss")
