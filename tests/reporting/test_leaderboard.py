"""The leaderboard's sentences on known cases, and its marks."""

import pytest
from made_board import made_board

from remedis.reporting.leaderboard import leaderboard_sentences, leaderboard_tables
from remedis.reporting.leaderboard.leaderboard_figure import MOST_SETS, figure
from remedis.reporting.leaderboard.leaderboard_page import page

KINDS = {"floor": "floor", "random": "random"}


def said(values, **options):
    answers = leaderboard_sentences.answers(made_board(values, kinds=KINDS, **options))
    return answers["Linear probe"]


@pytest.mark.parametrize(
    ("values", "spread", "sentences"),
    [
        (
            {"a": {"x": 0.95, "y": 0.7, "floor": 0.6}, "b": {"x": 0.9, "y": 0.7, "floor": 0.6}},
            0.01,
            [
                "With all labelled patients, x has the highest mean AUROC, averaged over 2 sets: "
                "0.925 [0.909, 0.937].",
                "It is better than y and floor, beyond a tie.",
                "Better than all others beyond a tie: x in a and b.",
                "The floor, floor, is no network; above it: x and y.",
            ],
        ),
        (
            {"a": {"x": 0.70, "y": 0.69, "floor": 0.71}, "b": {"x": 0.7, "y": 0.7, "floor": 0.7}},
            0.05,
            [
                "With all labelled patients, floor (FLOOR, no network) has the highest mean AUROC, "
                "averaged over 2 sets: 0.705 [0.630, 0.767].",
                "No arm is shown to be better than another: all are tied.",
                "In no single set is one arm better than all others beyond a tie.",
                "The floor, floor, is no network; tied with it: x and y.",
                "No network has shown that it knows more than thumbnails show, with these labels.",
            ],
        ),
        (
            {"a": {"x": 0.9, "y": 0.9, "z": 0.6}, "b": {"x": 0.91, "y": 0.9, "z": 0.9}},
            0.01,
            [
                "With all labelled patients, x has the highest mean AUROC, averaged over 2 sets: "
                "0.905 [0.890, 0.918].",
                "It is better than z, and tied with y.",
                "In no single set is one arm better than all others beyond a tie.",
            ],
        ),
        (
            {"a": {"x": 0.9, "random": 0.6}},
            0.01,
            [
                "With all labelled patients, x has the highest mean AUROC in a: 0.900 "
                "[0.879, 0.918].",
                "It is better than random, beyond a tie.",
            ],
        ),
        (
            {"a": {"x": 0.6, "floor": 0.9}},
            0.01,
            [
                "With all labelled patients, floor (FLOOR, no network) has the highest mean AUROC "
                "in a: 0.900 [0.879, 0.918].",
                "It is better than x, beyond a tie.",
                "The floor, floor, is no network; below it: x.",
                "No network has shown that it knows more than thumbnails show, with these labels.",
            ],
        ),
        (
            {"a": {"x": 0.9}},
            0.01,
            ["With all labelled patients, x has a mean AUROC in a: 0.900 [0.879, 0.918]."],
        ),
    ],
)
def test_sentences_say_what_the_numbers_show(values, spread, sentences):
    assert said(values, spread=spread) == sentences


def test_a_set_without_all_arms_and_sets_of_several_metrics():
    values = {"a": {"x": 0.9, "floor": 0.6}, "b": {"x": 0.8, "floor": 0.79}}
    board = made_board(values, kinds=KINDS)
    alone = board | {"overall": []}
    assert leaderboard_sentences.answers(alone)["Linear probe"] == [
        "No set has all arms yet, with all labelled patients: there is no comparison over sets."
    ]
    assert page(alone, {}, "red")
    for of in board["overall"]:
        of["differences"] = []
        for standing in of["standings"]:
            standing |= dict.fromkeys(("value", "low", "high", "rank", "rank_high"))
    assert leaderboard_sentences.answers(board)["Linear probe"] == [
        "With all labelled patients, x has the best mean rank over 2 sets: 1.0 [1.0, 1.5] of 2 "
        "arms. The metrics of the sets differ, so that they have no mean.",
        "Better than all others beyond a tie: x in a. In 1 of 2 sets no arm is.",
        "The floor, floor, is no network; x is above it in a.",
    ]
    table = leaderboard_tables.overall_table(board, "probe")
    assert table.header == ["arm", "mean rank [interval]", "sets in which it is unbeaten"]
    assert table.rows[1] == ["floor (FLOOR, no network)", "2.0 [1.5, 2.0]", "1 of 2"]
    assert leaderboard_tables.budget_table(board, "probe") is None
    assert page(board, {}, "red")
    for contest in board["contests"]:
        for one in contest["differences"]:
            one["tied"] = True
    *_, floor, none = leaderboard_sentences.answers(board)["Linear probe"]
    assert floor == "The floor, floor, is no network; no network is above it in any set."
    assert none.startswith("No network has shown that it knows more than thumbnails show")


def test_equal_mean_ranks_and_budgets_that_not_all_sets_have():
    values = {"a": {"x": 0.9, "y": 0.8, "z": 0.6}, "b": {"x": 0.8, "y": 0.9, "z": 0.79}}
    board = made_board(values)
    board["overall"][0]["sets"] = ["b"]
    table = leaderboard_tables.budget_table(board, "probe")
    assert table.header == ["arm", "0 (b)", "100% (a, b)"]
    board["overall"][1]["sets"] = ["a"]
    first, *_ = leaderboard_sentences.answers(board)["Linear probe"]
    assert " mean AUROC in a alone of 2 sets: " in first
    board["overall"][1]["sets"] = ["a", "b"]
    board["overall"][1]["differences"] = []
    first, *_ = leaderboard_sentences.answers(board)["Linear probe"]
    assert first.startswith(
        "With all labelled patients, x and y have the best mean rank over 2 sets: 1.5 [1.5, 2.0]; "
        "1.5 [1.5, 1.5] of 3 arms."
    )
    board["overall"][1]["standings"][0]["mean_rank"] = 1.0
    first, *_ = leaderboard_sentences.answers(board)["Linear probe"]
    assert "x has the best mean rank" in first
    assert "arms. The mean rank of y may be as good: the intervals overlap. The metrics" in first


def test_what_a_reader_might_conclude_from_shared_data_and_predictions_of_others():
    board = made_board({"a": {"x": 0.9, "theirs": 0.9}, "b": {"x": 0.9, "theirs": 0.9}})
    assert not any("of others" in one for one in leaderboard_sentences.caveats(board))
    assert not any("Some sets" in one for one in leaderboard_sentences.caveats(board))
    board["arms"]["theirs"]["imported"] = True
    board["sets"][1]["outside"] = board["sets"][0]["outside"]
    board["sets"][1]["without_patient"] = 3
    *_, chosen, imported, unknown, outside = leaderboard_sentences.caveats(board)
    assert "chosen by the numbers shown, on the test patients" in chosen
    assert imported.startswith("Predictions of others (theirs) were neither trained nor tuned here")
    assert unknown.startswith("In b, images without a known patient count as patients")
    assert outside.startswith("Some sets have the same out-of-distribution data")


def test_warnings_come_before_the_numbers():
    values = {"a": {"x": 0.9, "random": 0.6, "floor": 0.6}}
    board = made_board(values, kinds=KINDS, seeds=1, left_out=["a: y is left out."])
    board["sets"][0]["rehearsal"] = True
    assert leaderboard_sentences.warnings(board) == [
        "REHEARSAL: all sets are drawn by a program. The numbers show that everything runs, and "
        "nothing about medicine.",
        "RANDOM WEIGHTS, not pretrained: random.",
        "UNFINISHED. a: y is left out.",
        "TOO FEW: one draw of labelled patients; what another draw would change is in no interval.",
    ]
    assert leaderboard_sentences.warnings(made_board({"a": {"random": 0.6}}, kinds=KINDS)) == [
        "RANDOM WEIGHTS: nothing here was pretrained."
    ]


def test_the_floor_is_marked_and_has_no_column_of_fine_tuning():
    values = {"a": {"x": 0.9, "floor": 0.6}, "b": {"x": 0.8, "floor": 0.7}}
    board = made_board(values, kinds=KINDS, modes=("probe", "finetune"))
    table = leaderboard_tables.overall_table(board, "probe")
    assert [row[0] for row in table.rows] == ["x", "floor (FLOOR, no network)"]
    assert [row[1] for row in table.rows] == ["1", "2"]
    assert leaderboard_tables.entrants(board, "finetune") == ["x"]
    text = page(board, {"a": "sets/a/report.html"}, "red")
    assert text.count('<a href="sets/a/report.html">') == 8
    assert leaderboard_tables.difference_table(board, "finetune", {}) is None


def test_names_of_sets_and_arms_are_text():
    name = "<b>a</b> & 'c'"
    board = made_board({name: {"x<y": 0.9, "z": 0.6}})
    text = page(board, {name: "sets/x%22y/report.html"}, "red")
    assert "<b>a</b>" not in text
    assert "&lt;b&gt;a&lt;/b&gt; &amp; &#39;c&#39;" in text
    assert leaderboard_tables.long_table(board)[1][0] == name


@pytest.mark.guarantee
def test_many_sets_have_as_many_panels_as_can_be_read():
    drawn = figure(made_board({f"set {i}": {"x": 0.9, "y": 0.8} for i in range(14)}))
    assert len(drawn.axes) == MOST_SETS + 1
    assert any("The first 11 of 14 sets." in text.get_text() for text in drawn.texts)
