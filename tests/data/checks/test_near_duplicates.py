"""The perceptual hash, and the search for pairs against comparing every two."""

import numpy as np
import pytest

from remedis.data.checks import near_duplicates as near


def hexed(bits: np.ndarray) -> list[str]:
    return [row.tobytes().hex() for row in np.packbits(bits.astype(np.uint8), axis=1)]


def all_pairs(bits, groups, distance):
    apart = (bits[:, None] != bits[None]).sum(axis=-1)
    return {
        (int(i), int(j), int(apart[i, j]))
        for i, j in zip(*np.nonzero(apart <= distance), strict=True)
        if groups[i] < groups[j]
    }


def test_the_hash_of_a_ramp_is_all_ones_and_of_its_mirror_image_none():
    ramp = np.tile(np.linspace(0, 1, 17), (16, 1))
    assert near.difference_hash(ramp) == "f" * 64
    assert near.difference_hash(ramp[:, ::-1]) == "0" * 64
    # The first bit is the upper left corner's.
    corner = np.zeros((16, 17))
    corner[0, 1:] = 1
    assert near.difference_hash(corner) == "8" + "0" * 63


def test_rounding_does_not_change_the_bits_of_a_plain_background():
    noise = np.random.default_rng(0).uniform(-1e-6, 1e-6, (16, 17))
    assert near.difference_hash(0.7 + noise) == "0" * 64


def test_distances_count_bits():
    bits = np.random.default_rng(0).integers(0, 2, (20, 256))
    words = near.unpacked(hexed(bits))
    assert words.shape == (20, 4)
    np.testing.assert_array_equal(
        near.distances(words[:, None], words), (bits[:, None] != bits).sum(-1)
    )


@pytest.mark.parametrize("distance", [0, 3, 10, 30])
def test_the_search_finds_the_pairs_that_comparing_all_finds(distance):
    rng = np.random.default_rng(distance)
    centres = rng.integers(0, 2, (40, 256))
    bits = centres[rng.integers(40, size=400)] ^ (rng.random((400, 256)) < rng.choice([0, 0.03]))
    bits[:60] = bits[60:120] ^ (rng.random((60, 256)) < distance / 512)
    groups = rng.integers(0, 3, 400)
    found, unfinished = near.pairs(hexed(bits), groups, distance)
    expected = all_pairs(bits, groups, distance)
    assert expected
    assert set(found.itertuples(index=False, name=None)) == expected
    assert len(found) == len(expected)
    assert found["distance"].is_monotonic_increasing
    assert unfinished == ""


def test_exactly_at_the_distance_and_one_beyond():
    """Differences spread over all blocks are the hardest to find."""
    rng = np.random.default_rng(1)
    for trial in range(20):
        bits = rng.integers(0, 2, 256)
        flipped = rng.permutation(256) if trial % 2 else np.arange(256)
        for count, pairs in ((10, 1), (11, 0)):
            other = bits.copy()
            other[flipped[:count]] ^= 1
            assert len(near.pairs(hexed(np.stack([bits, other])), [0, 1]).pairs) == pairs


def test_pairs_of_one_group_do_not_count():
    bits = np.tile([0, 1], (4, 128))
    assert near.pairs(hexed(bits), [1, 1, 1, 1]).pairs.empty
    found = near.pairs(hexed(bits), [1, 0, 1, 1]).pairs
    assert found[["first", "second"]].to_numpy().tolist() == [[1, 0], [1, 2], [1, 3]]


def test_images_without_structure_are_left_out():
    bits = np.zeros((4, 256), np.uint8)
    bits[1, :10] = bits[2, :11] = bits[3, :11] = 1
    for plain in (bits, 1 - bits):
        found = near.pairs(hexed(plain), [0, 1, 0, 1]).pairs
        assert found.to_numpy().tolist() == [[2, 3, 0]]


def test_identical_hashes_have_precedence_at_the_limit_of_pairs(monkeypatch):
    bits = np.tile([0, 1], (40, 128))
    bits[20:30, 0] ^= 1
    groups = [0] * 20 + [1] * 20
    monkeypatch.setattr(near, "MAX_PAIRS", 150)
    found, unfinished = near.pairs(hexed(bits), groups)
    assert found["distance"].tolist() == [0] * 150
    assert unfinished == "the search ends at 100,000 pairs"
    for most in (400, 1000):
        monkeypatch.setattr(near, "MAX_PAIRS", most)
        found, unfinished = near.pairs(hexed(bits), groups)
        assert found["distance"].tolist() == [0] * 200 + [1] * 200
        assert unfinished == ""


@pytest.mark.slow
def test_the_search_ends_when_enough_differing_pairs_are_found(monkeypatch):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, 256) ^ (rng.random((300, 256)) < 0.01)
    groups = rng.integers(0, 2, 300)
    complete = set(near.pairs(hexed(bits), groups).pairs.itertuples(index=False, name=None))
    assert len(complete) > 5000
    monkeypatch.setattr(near, "MAX_PAIRS", 100)
    compared = []
    distances = near.distances
    monkeypatch.setattr(near, "distances", lambda a, b: compared.append(a) or distances(a, b))
    found, unfinished = near.pairs(hexed(bits), groups)
    assert len(found) == 100
    assert complete.issuperset(found.itertuples(index=False, name=None))
    assert unfinished == "the search ends at 100,000 pairs"
    assert len(compared) < 20


def shared_background(count: int) -> np.ndarray:
    """Returns hashes that share three quarters of their bits; the other bits are random."""
    rng = np.random.default_rng(0)
    bits = np.tile(rng.integers(0, 2, 256), (count, 1))
    bits[:, :64] = rng.integers(0, 2, (count, 64))
    return bits


def test_comparisons_of_images_with_one_background_are_limited(monkeypatch):
    monkeypatch.setattr(near, "MAX_COMPARISONS", 50_000)
    bits = shared_background(2000)
    bits[1::2] = bits[::2]
    bits[1::2, 128] ^= 1  # every pair still differs in one bit
    groups = np.arange(2000) % 2
    compared = []
    distances = near.distances
    monkeypatch.setattr(near, "distances", lambda a, b: compared.append(len(a)) or distances(a, b))
    found, unfinished = near.pairs(hexed(bits), groups)
    assert sum(compared) <= 50_000 + len(found)
    assert unfinished == "too many images share their background for every two to be compared"
    # Pairs next to each other in sorted order are found.
    assert len(found) == 1000
    assert found.equals(near.pairs(hexed(bits), groups).pairs)


def test_a_search_below_the_limit_is_complete(monkeypatch):
    bits = shared_background(100)
    bits[1::2] = bits[::2]
    bits[1::2, 128] ^= 1
    groups = np.arange(100) % 2
    found, unfinished = near.pairs(hexed(bits), groups)
    assert unfinished == ""
    assert set(found.itertuples(index=False, name=None)) == all_pairs(bits, groups, near.DISTANCE)


def test_one_hash_of_very_many_images_is_quick():
    """Pairs within one group, the square of its size, are not even enumerated."""
    hashes = hexed(np.tile([0, 1], (1, 128))) * 20_000
    found, unfinished = near.pairs(hashes, [0] * 19_999 + [1])
    assert len(found) == 19_999
    assert unfinished == ""


def test_nothing_to_compare():
    assert near.pairs([], []).pairs.empty
    assert near.pairs(["0" * 64], [0]).pairs.empty
    assert near.pairs(["3" * 64], [0]).pairs.empty
