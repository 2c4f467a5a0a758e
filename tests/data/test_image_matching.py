"""Images of two lists whose paths were written in different places."""

import pytest

from remedis.data.image_matching import match

OURS = ["test/NORMAL/a.png", "test/NORMAL/b.png", "test/ILL/c.png"]


@pytest.mark.parametrize(
    ("theirs", "rows", "by"),
    [
        (OURS[::-1], [2, 1, 0], "path"),
        (["/x/cxr/" + path for path in OURS], [0, 1, 2], "last 3 parts of the path"),
        ([r"D:\cxr\test\ILL\c.png", r"D:\cxr\test\NORMAL\a.png"], [1, -1, 0], "last 3 parts"),
        (["b.png", "c.png", "a.png", "d.png"], [2, 0, 1], "file name"),
        (["C", "A.jpeg", "b"], [1, 2, 0], "file name without suffix"),
        (["x.png"], [-1, -1, -1], "path"),
    ],
)
def test_the_strictest_step_that_matches_the_most_images_decides(theirs, rows, by):
    found = match(OURS, theirs)
    assert found.rows.tolist() == rows
    assert found.by.startswith(by)


def test_a_shared_name_matches_nothing_and_is_counted():
    found = match(["p1/view.png", "p2/view.png", "p3/other.png"], ["view.png", "other.png"])
    assert found.rows.tolist() == [-1, -1, 1]
    assert found.ambiguous == 2
    whole = match(["p1/view.png", "p2/view.png"], ["/d/p2/view.png", "/d/p1/view.png"])
    assert whole.rows.tolist() == [1, 0]
    assert whole.by == "last 2 parts of the path"


def test_a_number_behind_a_point_is_no_suffix():
    assert match(["1.2.840.113"], ["1.2.840.114", "1.2.840.113.dcm"]).rows.tolist() == [1]
