"""The command `manifest`: a user's own table to a manifest."""

import argparse
import json
import logging
import os
import shlex
from collections.abc import Sequence
from typing import Any

from remedis.cli import output
from remedis.cli.data_commands import UNWELL
from remedis.errors import UserError, counted
from remedis.options import label_list, label_text, pair

_LOG = logging.getLogger(__name__)
# The exit status if there are guesses to confirm.
UNCONFIRMED = 1


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    manifest = commands.add_parser(
        "manifest",
        help="turns a table of your own into a manifest.csv, and lists all of its problems",
        description="Turns a table of your own into a manifest.csv. Separator and encoding are "
        "found. Columns and values with other names than a manifest's are guessed; the guesses "
        "are shown, with the command that states them, and taken with --accept-guesses only. All "
        "problems of the table are listed at once.",
        epilog="Exit status: 0 the manifest is written; 1 wrong arguments, a file that is no "
        f"table, guesses to confirm, or no --out; {UNWELL} the table has problems.",
    )
    add = manifest.add_argument
    add("table", metavar="TABLE", help="a CSV file with one row per image")
    add("--out", metavar="FILE", help="manifest to write; without it, the table is only shown")
    add("--images", metavar="DIR", help="directory that paths start from; that of the table")
    add("--labels", metavar="A,B", help="label columns; guessed if not given")
    add(
        "--column",
        action="append",
        default=[],
        metavar="COLUMN=NAME",
        help="what a column is: path, patient_id, study_id, site, split, sex, age, view, slide_id, "
        "mpp, or another name for it; may be repeated",
    )
    add(
        "--value",
        action="append",
        default=[],
        metavar="VALUE=MEANING",
        help="what a value means: 1, 0, -1 (uncertain), F, M, train, validation, test or unknown; "
        "may be repeated",
    )
    add("--separator", default="", metavar="NAME", help="comma, semicolon, tab or pipe")
    add("--encoding", default="", metavar="NAME", help="of the text, such as cp1250")
    add("--path-prefix", default="", metavar="TEXT", help="beginning of the paths to leave out")
    add("--accept-guesses", action="store_true", help="write the manifest with all guesses")
    add(
        "--allow-missing-patient-ids",
        action="store_true",
        help="as config.allow_missing_patient_ids",
    )
    add(
        "--croissant",
        metavar="FILE.json",
        help="also describe the manifest in Croissant 1.0: its structure, no value of it; without "
        "--out, TABLE must be a manifest and is described",
    )
    add(
        "--about",
        action="append",
        default=[],
        metavar="KEY=TEXT",
        help="of --croissant: license, citation, creator, url, date_published, name, description "
        "or version of the data; unknown if not given; may be repeated",
    )
    output.add_table_arguments(manifest, "--table")
    manifest.set_defaults(run=_manifest)


def _manifest(parsed: argparse.Namespace) -> int:
    if parsed.out is not None and os.path.isdir(parsed.out):
        raise UserError(f"--out={parsed.out} is a directory; name a file, such as manifest.csv.")
    if parsed.out is not None and os.path.realpath(parsed.out) == os.path.realpath(parsed.table):
        raise UserError(f"--out={parsed.out} is the table itself; name another file.")
    if parsed.images is not None and not os.path.isdir(parsed.images):
        raise UserError(f"--images={parsed.images}: there is no such directory.")
    about = _about(parsed)
    if parsed.croissant is not None and parsed.out is None:
        return _describe(parsed, about)
    from remedis.data import own_table
    from remedis.data.tables import table_form
    from remedis.reporting import own_table_report

    form = table_form.TableForm(
        parsed.separator,
        parsed.encoding,
        _pairs(parsed.column, "--column", table_form.COLUMN_EXAMPLE),
        _pairs(parsed.value, "--value", table_form.VALUE_EXAMPLE),
        parsed.path_prefix,
    )
    own = own_table.read(
        parsed.table,
        form,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        images=parsed.images,
        allow_missing_patient_ids=parsed.allow_missing_patient_ids,
    )
    command = _command(parsed, own)
    values = {**own_table_report.to_json(own), "command": "\n    ".join(command)}
    output.show_table(parsed, own_table_report.own_table_report(own), values)
    if not own.is_sound:
        count = sum(problem.is_serious for problem in own.problems)
        problems = "1 problem" if count == 1 else f"{count:,} problems"
        _LOG.error(f"Nothing was written: the table has {problems}.")
        if own.has_guesses:
            _LOG.info("The guesses so far, stated:")
            _log_command(command)
        return UNWELL
    if own.has_guesses and not parsed.accept_guesses:
        _LOG.warning("Nothing was written: confirm the guesses by --accept-guesses, or state them:")
        _log_command(command)
        return UNCONFIRMED
    if parsed.out is None:
        _LOG.warning("Nothing was written: name the file by --out.")
        return UNCONFIRMED
    own_table.write(own, parsed.out)
    _LOG.info(f"{parsed.out}: {counted(len(own.table), 'image')}, labels {label_text(own.labels)}.")
    labels = shlex.quote(label_text(own.labels))
    if parsed.croissant is not None:
        _write_croissant(parsed.croissant, parsed.out, own.labels, about)
    opt_out = " --allow-missing-patient-ids" if parsed.allow_missing_patient_ids else ""
    _LOG.info(f"Next: remedis doctor {shlex.quote(parsed.out)} --labels={labels}{opt_out}")
    return 0


def _about(parsed: argparse.Namespace) -> dict[str, str]:
    """Returns the pairs of `--about`; checks them and `--croissant` before any work."""
    about: dict[str, str] = {}
    for text in parsed.about:
        key, _, value = text.partition("=")  # a value, such as an address, may hold the sign
        if not key or not value:
            raise UserError(f"--about={text}: expected KEY=TEXT, such as license=CC-BY-4.0.")
        if key in about:
            raise UserError(f"--about names {key!r} twice; name it once.")
        about[key] = value
    if parsed.croissant is None:
        if about:
            raise UserError("--about goes with --croissant=FILE.json only.")
        return about
    if not parsed.croissant.endswith((".json", ".jsonld")):
        raise UserError(f"--croissant={parsed.croissant}: expected a name that ends in .json.")
    from remedis.data import croissant

    croissant.check_about(about)
    return about


def _describe(parsed: argparse.Namespace, about: dict[str, str]) -> int:
    """Describes a table that is a manifest already."""
    if parsed.labels is None:
        raise UserError(
            "--croissant without --out describes a manifest: name its label columns by --labels."
        )
    from remedis.data import manifest

    labels = label_list(parsed.labels)
    manifest.read_csv(
        parsed.table,
        labels,
        parsed.images,
        allow_missing_patient_ids=parsed.allow_missing_patient_ids,
    )
    values = _write_croissant(parsed.croissant, parsed.table, labels, about)
    if parsed.json:
        print(json.dumps(values))
    return 0


def _write_croissant(
    out: str, manifest: str, labels: Sequence[str], about: dict[str, str]
) -> dict[str, Any]:
    from remedis.data import croissant

    values = croissant.write(out, manifest, labels, about)
    _LOG.info(f"{out}: {manifest} in Croissant 1.0.")
    if missing := [key for key in croissant.ASKED_FOR if key not in about]:
        examples = " ".join(f"--about={key}=..." for key in missing)
        _LOG.warning(f"{out}: Croissant also asks for {', '.join(missing)}: {examples}")
    if not croissant.beside(out, manifest):
        _LOG.warning(f"{out}: readers look for {os.path.basename(manifest)} beside it; copy it.")
    return values


def _pairs(texts: Sequence[str], what: str, expected: str) -> dict[str, str]:
    """Returns pairs by their first part.

    Raises:
      UserError: a text is no pair, or a first part stands twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, value = pair(text, what, expected)
        if key in found:
            raise UserError(f"{what} names {key!r} twice; name it once.")
        found[key] = value
    return found


def _log_command(lines: Sequence[str]) -> None:
    for i, line in enumerate(lines):
        _LOG.info(f"    {line}" if i else line)


def _command(parsed: argparse.Namespace, own: Any) -> list[str]:
    """Returns the lines of the command that states all guesses, to be pasted into a shell."""
    out = parsed.out or "manifest.csv"
    parts = [f"remedis manifest {shlex.quote(parsed.table)} --out {shlex.quote(out)}"]

    def state(option: str, value: str) -> None:
        if value:
            # With a sign: a value may begin with a hyphen.
            parts.append(f"{option}={shlex.quote(value)}")

    state("--images", parsed.images or "")
    state("--separator", parsed.separator)
    state("--encoding", parsed.encoding)
    state("--path-prefix", own.form.path_prefix)
    for column, name in own.form.columns.items():
        state("--column", f"{column}={name}")
    for value, meaning in own.form.values.items():
        state("--value", f"{value}={meaning}")
    state("--labels", label_text(own.labels) if own.labels else "")
    if parsed.allow_missing_patient_ids:
        parts.append("--allow-missing-patient-ids")
    return [*(f"{part} \\" for part in parts[:-1]), parts[-1]]
