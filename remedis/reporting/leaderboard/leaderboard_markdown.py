"""The leaderboard as Markdown, for a README."""

from collections.abc import Mapping

from remedis.reporting.leaderboard import leaderboard_sentences, leaderboard_tables
from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.page_content import Table
from remedis.suite.board_record import BoardRecord
from remedis.zoo import markdown_text


def document(board: BoardRecord, links: Mapping[str, str]) -> str:
    """Returns the sentences, the comparison over sets and that of each set.

    Args:
      board: content of `board.json`.
      links: address of the report of each set that has one.
    """
    text = markdown_text.text
    parts = [f"# {text(board['title'])}", RESEARCH_USE]
    parts += [f"**{text(warning)}**" for warning in leaderboard_sentences.warnings(board)]
    answers = leaderboard_sentences.answers(board)
    for mode in board["modes"]:
        name = leaderboard_tables.mode_name(mode)
        if name not in answers:
            continue
        parts += [f"## {name}", " ".join(map(text, answers[name]))]
        tables = [leaderboard_tables.overall_table(board, mode)]
        tables += leaderboard_tables.set_tables(board, mode, _cell)[:1]
        parts += [_table(table, links) for table in tables if table is not None]
    parts += ["\n".join(f"- {text(one)}" for one in leaderboard_sentences.caveats(board))]
    return "\n\n".join(parts) + "\n"


def _cell(name: str, value: str, rank: str) -> str:
    del name  # the header of the column is the link
    return f"{value}; {rank}"


def _table(table: Table, links: Mapping[str, str]) -> str:
    row, text = markdown_text.row, markdown_text.text
    header = [f"[{text(h)}]({links[h]})" if h in links else text(h) for h in table.header]
    lines = [row(*header), row(*(["---"] * len(header)))]
    lines += [row(*map(text, cells)) for cells in table.rows]
    return f"{text(table.caption)}\n\n" + "\n".join(lines)
