import io

import numpy as np
import pytest
from rich.console import Console

from remedis.evaluation.evaluate import evaluate
from remedis.reporting.tables import print_results

LONG = "A finding with a name far longer than any column of a table could ever hold [x/y]"


def _results(names=("Edema", "Fracture", LONG)):
    rng = np.random.default_rng(0)
    labels = (rng.random((150, 3)) < [0.4, 0.01, 0.5]).astype(float)
    scores = rng.normal(size=labels.shape) + labels
    return evaluate(labels, scores, names, np.arange(150) // 2)


def _printed(results, terminal=False, **options):
    stream = io.StringIO()
    colours = {"force_terminal": True, "color_system": "standard"} if terminal else {}
    print_results(results.to_json(), console=Console(file=stream, width=80, **colours), **options)
    return stream.getvalue()


def test_every_number_is_there_within_80_columns():
    results = _results()
    text = _printed(results, random_weights=False)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    edema = results.labels["Edema"]
    assert edema.interval in rows["Edema"]
    assert rows["Edema"].split()[-2:] == [str(edema.patients), str(edema.positives)]
    assert "not estimable" in rows["Fracture"]
    assert rows["mean"].startswith(" mean of 2 ")
    assert results.mean.interval in rows["mean"]
    assert "Not in the mean (not estimable): Fracture." in text
    assert text.rstrip().endswith("Research software, not a diagnostic device.")
    assert "[x/y]" in "".join(text.split("\n")), "a label's brackets were read as markup"


@pytest.mark.parametrize("random_weights", [False, True])
def test_random_weights_are_said_in_bold_red(random_weights):
    text = _printed(_results(), terminal=True, random_weights=random_weights)
    said = "\x1b[1;31mRANDOM WEIGHTS: nothing here was pretrained\x1b[0m" in text
    assert said == random_weights


def test_prints_to_standard_output_without_colours(capsys):
    print_results(_results().to_json(), random_weights=True, title="Test split")
    text = capsys.readouterr().out
    assert text.startswith("Test split")
    assert "RANDOM WEIGHTS: nothing here was pretrained\n" in text
    assert "\x1b" not in text
