"""Checks of a data set before it is used: unreadable files, leaks, copies, the doctor's report."""
