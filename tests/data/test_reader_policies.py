import numpy as np
import pandas as pd
import pytest

from remedis.data import reader_policies

NAN = float("nan")
# Votes on one image, and its label under `majority`, `any`, `all` and `uncertain`.
VOTES: list[tuple[list[float], tuple[float, ...]]] = [
    ([1, 1, 1], (1, 1, 1, 1)),
    ([0, 0, 0], (0, 0, 0, 0)),
    ([1, 1, 0], (1, 1, 0, -1)),
    ([0, 1, 0], (0, 1, 0, -1)),
    ([1, 0], (-1, 1, 0, -1)),
    ([1, NAN, NAN], (1, 1, 1, 1)),
    ([0, NAN, 0], (0, 0, 0, 0)),
    ([1, 0, NAN], (-1, 1, 0, -1)),
    ([NAN], (NAN, NAN, NAN, NAN)),
]


def test_every_policy_on_every_vote():
    images = pd.Series([f"i{i}" for i, (votes, _) in enumerate(VOTES) for _ in votes])
    ill = [vote for votes, _ in VOTES for vote in votes]
    readings = pd.DataFrame({"ill": ill, "well": [1 - vote for vote in ill]}, dtype=float)
    order = np.random.default_rng(0).permutation(len(images))
    for number, policy in enumerate(reader_policies.POLICIES):
        expected = [labels[number] for _, labels in VOTES]
        decided = reader_policies.decide(images, readings, policy, absence="well")
        np.testing.assert_array_equal(decided["ill"], expected)
        assert decided.index.tolist() == images.unique().tolist()
        # Where a finding is positive for certain, its absence is negative for certain.
        opposite = [label if label == -1 else 1 - label for label in expected]
        np.testing.assert_array_equal(decided["well"], opposite)
        shuffled = reader_policies.decide(images[order], readings.iloc[order], policy, "well")
        pd.testing.assert_frame_equal(shuffled.loc[decided.index], decided)


def test_a_majority_of_careless_readers_is_better_than_one():
    """Three readers who are each wrong with probability p: 3p^2 - 2p^3 of the votes are wrong."""
    rng = np.random.default_rng(1)
    truth, wrong = rng.random(40_000) < 0.3, 0.2
    votes = truth[:, None] ^ (rng.random((40_000, 3)) < wrong)
    images = pd.Series(np.repeat(np.arange(40_000), 3))
    readings = pd.DataFrame({"ill": votes.reshape(-1).astype(float)})
    decided = reader_policies.decide(images, readings, "majority")
    error = (decided["ill"].to_numpy() != truth).mean()
    assert error == pytest.approx(3 * wrong**2 - 2 * wrong**3, abs=0.006)
