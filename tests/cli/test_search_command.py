"""`remedis search`: what is printed, the page, a query that is embedded, and wrong options."""

import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import remedis
from remedis import cli


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, tiny_checkpoint):
    """A folder of 30 images of 15 patients, with a name that is markup, and their embeddings."""
    folder = tmp_path_factory.mktemp("search")
    rng = np.random.default_rng(0)
    rows = ["path,patient_id,split,ill"]
    for i in range(30):
        name = "<b>&1.png" if i == 1 else f"{i}.png"
        pixels = rng.integers(0, 256, (20, 20), np.uint8)
        if i == 9:
            pixels = np.asarray(Image.open(folder / "4.png"))
        Image.fromarray(pixels).save(folder / name)
        rows.append(f"{name},p{i // 2},{'train' if i < 8 else 'test'},{i % 2}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    remedis.embed(
        tiny_checkpoint,
        folder,
        labels=["ill"],
        preprocess="resize(16)",
        store=folder / "store",
        out=folder / "e.parquet",
    )
    return folder


def run(*arguments):
    return cli.main(["search", *map(str, arguments)])


def page_of(path):
    page = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(page.partition("<!DOCTYPE html>")[2].strip())
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:image/jpeg;base64,)', page)
    return root, " ".join(" ".join(root.itertext()).split()).replace("\N{NO-BREAK SPACE}", " ")


def pictures(root):
    return [image.get("alt") for image in root.iter("img")]


def test_cases_like_one_of_the_file(embedded, tmp_path, capsys):
    out = tmp_path / "like.html"
    file = embedded / "e.parquet"
    query = ["--query=4", "--query=<b>&1.png", "--k=3"]
    assert run(file, *query, f"--images={embedded}", f"--out={out}") == 0
    printed = capsys.readouterr().out
    assert "RANDOM WEIGHTS" in printed
    assert re.search(r"^4.png \(row 4\): the 3 most similar images among 30, of", printed, re.M)
    assert re.search(r"^ 4.png +1 +1.0000 +9.png +p4 +test +1", printed, re.M)
    root, text = page_of(out)
    assert pictures(root)[:2] == ["4.png", "9.png"]
    assert len(pictures(root)) == 8
    assert pictures(root)[4] == "<b>&1.png"
    assert "1. similarity 1.0000 9.png patient p4 split test ill 1" in text
    assert "RANDOM WEIGHTS: nothing here was pretrained." in text
    assert "Research software, not a diagnostic device." in text


def test_a_new_image_is_embedded_as_those_of_the_file(embedded, tiny_checkpoint, tmp_path, capsys):
    # The pixels of image 6 in other bytes.
    Image.open(embedded / "6.png").save(tmp_path / "new.png", compress_level=0)
    query = ["--query", tmp_path / "new.png", "--json"]
    file = embedded / "e.parquet"
    assert run(file, *query, f"--checkpoint={tiny_checkpoint}") == 0
    nearest = json.loads(capsys.readouterr().out)["images"][0]
    assert nearest["path"] == "6.png"
    assert nearest["similarity"] == pytest.approx(1, abs=1e-6)
    assert run(file, *query, "--checkpoint=scratch:1-1-1-2x0.5") == 1
    sentence = "error: scratch:1-1-1-2x0.5 has other weights than "
    assert capsys.readouterr().err.startswith(sentence)
    (tmp_path / "new.png").write_text("no image")
    assert run(file, *query, f"--checkpoint={tiny_checkpoint}") == 1
    assert "new.png cannot be read: it is not a complete JPEG" in capsys.readouterr().err


def test_duplicates_and_where_they_cross(embedded, tmp_path, capsys):
    out = tmp_path / "same.html"
    assert run(embedded / "e.parquet", "--duplicates", f"--out={out}", f"--images={embedded}") == 0
    printed = capsys.readouterr().out
    assert "1 group with 2 images of 30" in printed
    assert "1 image is the same file as another." in printed
    assert "1 group has several patients." in printed
    assert "1 group has several splits." in printed
    root, _ = page_of(out)
    assert pictures(root) == ["4.png", "9.png"]


def test_outliers_are_in_a_table_and_pictures_may_be_absent(embedded, tmp_path, capsys):
    out, file = tmp_path / "far.html", embedded / "e.parquet"
    table = tmp_path / "far.csv"
    assert run(file, f"--outliers={file}", "--k=2", f"--out={out}", f"--table={table}") == 0
    captured = capsys.readouterr()
    assert "with an AUROC of 0." in captured.out
    assert "are in" in captured.out  # the same images
    assert "24 images of 24 cannot be shown: " in captured.err
    assert "name their folder with --images" in captured.err
    root, text = page_of(out)
    assert pictures(root) == []
    assert text.count("not shown") == 24
    assert "<b>&1.png" in table.read_text()
    assert run(file, "--outliers", "--k=2", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["auroc"] is None
    assert len(values["images"]) == 30


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Expected one of --query=IMAGE_OR_ROW, --duplicates and --outliers; got none."),
        (["--query=1", "--duplicates"], "got --query and --duplicates."),
        (["--duplicates", "--k=3"], "--k goes with --query or --outliers, not with --duplicates;"),
        (["--query=1", "--similarity=0.9"], "--similarity goes with --duplicates, not with"),
        (["--query=1", "--out=page.pdf"], "--out=page.pdf: expected a page to write, such as"),
        (["--query=1", "--checkpoint=no"], "no does not exist"),
        (["--duplicates", "--similarity=2"], "The similarity of duplicates is 2; expected above 0"),
        (["--query=1", "--k=0"], "0; expected 1 or more"),
        (["--outliers=no.parquet"], "There is no file no.parquet"),
    ],
)
def test_a_wrong_option_is_one_sentence(embedded, options, sentence, capsys):
    assert run(embedded / "e.parquet", *options) == 1
    assert sentence in capsys.readouterr().err
