"""The sentences of the page of heat maps, on numbers whose answer is known."""

import numpy as np
import pytest

from remedis.evaluation import localisation
from remedis.evaluation.localisation import AVERAGE_BOX, CENTRE, MAPS, Case
from remedis.inference.weight_randomisation import TRAINED, Step
from remedis.reporting import heat_map_page

CORNER = np.array([[0.0, 0.0, 10.0, 10.0]])


def curve(*correlations):
    parts = (TRAINED, "head", "root")
    return [Step(p, c, c) for p, c in zip(parts, correlations, strict=True)]


@pytest.mark.parametrize("left", [0.2, 0.0, -0.2])
def test_maps_that_change_with_the_weights_are_said_to_show_them(left):
    said = heat_map_page.sanity_sentence(curve(1.0, 0.9, left))
    assert said == (
        "With all weights shuffled, the rank correlation to the trained network's maps is "
        f"{left:.2f}: the maps show what the network has learnt."
    )


@pytest.mark.parametrize("left", [0.21, 0.72, 1.0, -0.5])
def test_maps_that_stay_are_not(left):
    said = heat_map_page.sanity_sentence(curve(1.0, 0.1, left))
    assert f"is {left:.2f}: not near 0, so that the maps show in part what any network" in said


def judged(hits):
    cases = [Case("mass", f"p{i}", 100, 100, CORNER) for i in range(len(hits))]
    scores = {
        MAPS: (np.array(hits), np.array(hits)),
        "randomised weights": (np.array(hits), np.array(hits)),
    }
    return localisation.judged(cases, scores)[-1]


def test_the_answer_names_what_the_maps_beat_and_what_they_do_not():
    # All lesions lie in one corner: the average box finds each of them, the centre none.
    said = heat_map_page.answer(judged([1.0] * 39 + [0.0]))
    assert "or as near as the tolerance, in a share of 0.975 [" in said
    assert "of 40 cases." in said
    assert f"This is more than: {CENTRE}." in said
    assert "It is not shown to be more than: " in said
    assert AVERAGE_BOX in said.partition("not shown")[2]
    assert "randomised weights" in said.partition("not shown")[2]


def test_maps_that_never_hit_beat_nothing():
    said = heat_map_page.answer(judged([0.0] * 40))
    assert "This is more than" not in said
