"""The files of the leaderboard in the directory of a suite."""

import os
import pathlib
import urllib.parse

from remedis import csv_text, files
from remedis.errors import UserError
from remedis.reporting import figures
from remedis.reporting.leaderboard import (
    leaderboard_figure,
    leaderboard_markdown,
    leaderboard_page,
    leaderboard_sentences,
    leaderboard_tables,
)
from remedis.reporting.svg import standalone
from remedis.suite import board_record
from remedis.suite.board_record import BoardRecord

PAGE = "leaderboard.html"


def write(workdir: files.Path) -> pathlib.Path:
    """Writes `leaderboard.html`, `.csv`, `.md` and `.svg`; returns the path of the page.

    Args:
      workdir: directory of a suite, with its `board.json`.

    Raises:
      UserError: there is no `board.json`, or it is damaged.
    """
    folder = pathlib.Path(workdir)
    if not os.path.lexists(folder / board_record.FILE):
        raise UserError(
            f"{folder} holds no finished comparison: {board_record.FILE} is missing; run the suite "
            "with this --workdir first."
        )
    board = board_record.read(folder)
    links = links_of(board, folder)
    figure = standalone(leaderboard_figure.figure(board), "leaderboard")
    files.write_text(folder / "leaderboard.svg", figure)
    rows = leaderboard_tables.long_table(board)
    files.write_text(folder / "leaderboard.csv", csv_text.table(rows))
    files.write_text(folder / "leaderboard.md", leaderboard_markdown.document(board, links))
    page = folder / PAGE
    files.write_text(page, leaderboard_page.page(board, links, figures.RED))
    return page


def answers(workdir: files.Path) -> dict[str, list[str]]:
    """Returns the sentences on the result of a suite with a `board.json`, by mode."""
    return leaderboard_sentences.answers(board_record.read(workdir))


def links_of(board: BoardRecord, folder: pathlib.Path) -> dict[str, str]:
    """Returns the relative address of the report of each set that has one, by name of the set."""
    reports = {of["name"]: f"{of['directory']}/report.html" for of in board["sets"]}
    return {
        name: urllib.parse.quote(report)
        for name, report in reports.items()
        if (folder / report).is_file()
    }
