"""The benchmark of resizes: its distances, its images and its table."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("antialiasing")


def run(benchmark, monkeypatch, capsys, *arguments):
    """Returns the cells of the table, by the name of the row."""
    monkeypatch.setattr(sys, "argv", ["antialiasing.py", "scratch:1-1-1-1x0.5", *arguments])
    benchmark.main()
    head, _, *lines = capsys.readouterr().out.strip().splitlines()
    return head, {line[:32].strip(): [float(n) for n in numbers(line[32:])] for line in lines}


def numbers(text):
    return text.replace("[", " ").replace("]", " ").replace(",", " ").split()


def test_distances_are_those_of_the_formulas(benchmark):
    first = np.array([[3.0, 4.0], [1.0, 0.0]])
    relative, cosine = benchmark.distances(first, np.array([[3.0, 4.0], [0.0, 2.0]]))
    np.testing.assert_allclose(relative, [0, np.sqrt(5)])
    np.testing.assert_allclose(cosine, [1, 0])


def test_the_moved_image_repeats_its_first_column(benchmark):
    image = tf.random.stateless_uniform([8, 8, 3], [1, 2])
    moved = benchmark.moved(image, 8).numpy()
    np.testing.assert_allclose(moved[:, 1:], image[:, :-1], atol=1e-5)
    np.testing.assert_allclose(moved[:, 0], image[:, 0], atol=1e-5)


def test_made_up_films_give_a_table_in_which_another_image_is_far(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "FILM", (120, 100))
    head, rows = run(benchmark, monkeypatch, capsys, "--size=32", "--images=3")
    assert head == "32 pixels, 3 images"
    assert list(rows) == [*list(benchmark.RESIZES)[1:], benchmark.ANOTHER]
    assert all(len(cells) == 6 for cells in rows.values())
    assert all(low <= median <= high for median, low, high, *_ in rows.values())
    assert rows["another image"][0] > rows["TensorFlow 2, not antialiased"][0] > 0


def test_images_of_a_folder_are_spread_over_it(benchmark, monkeypatch, capsys, tmp_path):
    (tmp_path / "chest").mkdir()
    (tmp_path / "other").mkdir()
    for number in range(6):
        pixels = np.full((40, 40), 40 * number, np.uint8)
        folder = "chest" if number % 2 else "other"
        Image.fromarray(pixels).save(tmp_path / folder / f"p{number}.png")
    head, rows = run(
        *(benchmark, monkeypatch, capsys, str(tmp_path), "--source=folder", "--size=32"),
        *("--images=4", "--option=allow_missing_patient_ids=True"),
    )
    assert head == "32 pixels, 4 images"
    # An even image has no detail to lose and nowhere to move to.
    assert rows["released"][0] == rows["moved by one pixel"][0] == 0
    assert rows["another image"][0] > 0
