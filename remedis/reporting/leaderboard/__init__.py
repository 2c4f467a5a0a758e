"""The leaderboard of a suite: a page, tables and a figure from `board.json`."""

from remedis.reporting.leaderboard.leaderboard_files import answers, write

__all__ = ["answers", "write"]
