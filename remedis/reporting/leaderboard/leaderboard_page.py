"""The HTML page of the leaderboard: the template `leaderboard.html.jinja` with the numbers."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from remedis.reporting.label_budget_report.number_format import listed
from remedis.reporting.label_budget_report.study_summary import mode_name
from remedis.reporting.leaderboard import (
    leaderboard_figure,
    leaderboard_sentences,
    leaderboard_tables,
)
from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.page_content import Drawing
from remedis.reporting.page_template import environment, unbroken
from remedis.reporting.svg import inline_svg
from remedis.suite.board_record import BoardRecord


def page(board: BoardRecord, links: Mapping[str, str], red: str) -> str:
    """Returns the page: HTML without scripts, also well-formed as XML.

    Args:
      board: content of `board.json`.
      links: relative address of the report of each set that has one.
      red: colour of warnings.
    """

    def cell(name: str, value: str, rank: str) -> str:
        return leaderboard_tables.two_lines(leaderboard_tables.linked(value, links.get(name)), rank)

    modes = [mode for mode in board["modes"] if leaderboard_tables.entrants(board, mode)]
    figure = leaderboard_figure.figure(board)
    rendered = (
        environment()
        .get_template("leaderboard.html.jinja")
        .render(
            red=red,
            research_use=RESEARCH_USE,
            title=board["title"],
            sets=[of | {"link": links.get(of["name"])} for of in board["sets"]],
            names=listed([of["name"] for of in board["sets"]]),
            arms=board["arms"],
            warnings=leaderboard_sentences.warnings(board),
            answers=leaderboard_sentences.answers(board),
            drawing_of=_drawing(figure),
            width=f"{figure.get_figwidth() * 96:.0f}px",
            modes=[
                {
                    "name": mode_name(mode),
                    "overall": leaderboard_tables.overall_table(board, mode),
                    "budgets": leaderboard_tables.budget_table(board, mode),
                    "sets": leaderboard_tables.set_tables(board, mode, cell),
                    "differences": leaderboard_tables.difference_table(board, mode, links),
                }
                for mode in modes
            ],
            tuning=leaderboard_tables.tuning_table(board),
            intervals=board["interval"],
            resamples=board["resamples"],
            caveats=leaderboard_sentences.caveats(board),
        )
    )
    return unbroken(rendered)


def _drawing(figure: Figure) -> Drawing:
    return inline_svg(
        figure,
        "leaderboard",
        "The metric of every arm per set with its interval; the tables have the numbers.",
        "Every arm in every set",
    )
