"""The table of a grid of a fine-tuning run."""

import io

from rich.console import Console

from remedis.reporting.tuning_table import tuning_table


def test_every_candidate_has_its_score_and_one_is_chosen():
    tuning = {
        "grid": "learning_rate=0.003,0.03,3",
        "names": ["learning_rate=0.003", "learning_rate=0.03", "learning_rate=3"],
        "scores": [0.81234, 0.84, None],
        "chosen": 1,
    }
    stream = io.StringIO()
    Console(file=stream, width=80).print(tuning_table(tuning), highlight=False)
    lines = [line.split() for line in stream.getvalue().splitlines() if "rate=" in line]
    assert lines == [
        ["learning_rate=0.003", "0.8123"],
        ["learning_rate=0.03", "0.8400", "chosen"],
        ["learning_rate=3", "diverged"],
    ]
