"""Several prediction sets beside each other: paired or not, adjusted, with others' marked."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.special import expit

from remedis.errors import UserError
from remedis.evaluation.imported.import_scores import import_predictions, read_scores
from remedis.evaluation.label_budget.quantities import holm
from remedis.reporting.comparison_of_many import compare_many, report_of_many
from remedis.reporting.comparison_report import compare_runs, comparison_report


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Imported predictions: a good and a bad model on 200 images, one on 150 other images."""
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    found = {}
    for name, number, gain, place in (
        ("good", 200, 2.0, "a"),
        ("bad", 200, 0.7, "x/a"),
        ("elsewhere", 150, 1.5, "b"),
    ):
        target = np.arange(number) % 2
        table = pd.DataFrame(
            {
                "path": [f"{place}/{place[-1]}{i}.png" for i in range(number)],
                "ill_score": expit(gain * target + rng.normal(size=number)),
                "ill": target,
            }
        )
        table.to_csv(folder / f"{name}.csv", index=False)
        found[name] = folder / name
        import_predictions(read_scores(folder / f"{name}.csv"), found[name], resamples=40)
    return found


def printed(report):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(report)
    return capture.get()


def test_each_is_compared_with_the_first_and_p_is_adjusted(sets):
    found = compare_many(list(sets.values()))
    assert list(found.comparisons) == [(0, 1), (0, 2)]
    assert [of.paired for of in found.comparisons.values()] == [True, False]
    p = [of.main.p for of in found.comparisons.values()]
    assert list(found.adjusted.values()) == pytest.approx(holm(p).tolist())
    alone = compare_runs(sets["good"], sets["bad"])
    assert found.comparisons[0, 1].comparison == alone.comparison
    assert (
        alone.why == "Paired: both scored the same 200 images, matched by last 2 parts of the path."
    )

    text = printed(report_of_many(found))
    main = found.comparisons[0, 2].main
    assert f"{main.difference:+.3f} [{main.low:+.3f}, {main.high:+.3f}]" in text
    assert "B - A: Paired: both scored the same 200 images" in text
    assert "C - A: Unpaired: the images differ (0 of 200 images and 150 images are in both)" in text
    assert text.count("predictions of others: nothing is known of the weights") == 3
    values = found.to_json()["comparisons"]
    assert [(of["first"], of["second"], of["paired"]) for of in values] == [
        (0, 1, True),
        (0, 2, False),
    ]


def test_all_pairs_are_compared_if_asked(sets):
    found = compare_many(list(sets.values()), all_pairs=True)
    assert list(found.comparisons) == [(0, 1), (0, 2), (1, 2)]
    assert "3 comparisons of this table" in printed(report_of_many(found))


def test_an_unpaired_comparison_says_what_it_cannot_tell(sets):
    compared = compare_runs(sets["good"], sets["elsewhere"])
    assert not compared.paired
    assert not compared.metrics
    text = " ".join(printed(comparison_report(compared)).split())
    assert "The difference is that of models and of patients" in text
    assert "A: predictions of others" in text
    forced = compare_runs(sets["good"], sets["bad"], unpaired=True)
    paired = compare_runs(sets["good"], sets["bad"])
    assert forced.main.difference == pytest.approx(paired.main.difference)
    assert forced.why.startswith("Unpaired, as asked for")


def test_what_cannot_be_compared_is_one_sentence(sets):
    with pytest.raises(UserError, match=r"good is named twice; name each run once\."):
        compare_many([sets["good"], sets["bad"], sets["good"]])
    with pytest.raises(UserError, match="27 runs are named; expected at most 26 in one table"):
        compare_many([sets["good"] / str(i) for i in range(27)])
