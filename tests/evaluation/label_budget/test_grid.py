import pytest
from study_helpers import RISING, make_cells, make_test_set

from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell, analyse_study


def test_a_missing_cell_is_refused():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "pretrained": RISING}, seeds=3)
    del grid[Cell("pretrained", "probe", 20, 1)]
    sentence = (
        r"1 of the study's 20 cells are missing, such as pretrained-probe-20-1; .* Run the study"
    )
    with pytest.raises(UserError, match=sentence):
        analyse_study(test, grid, "base", resamples=40)
    with pytest.raises(UserError, match="no finished cell"):
        analyse_study(test, {}, "base")
