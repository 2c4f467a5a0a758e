"""The files of the report, written into the directory of the study."""

import os
import pathlib
import re
import urllib.parse

from remedis import files
from remedis.errors import UserError
from remedis.label_budget import summary_record
from remedis.reporting.label_budget_report import curve_figures, overview, study_summary
from remedis.reporting.label_budget_report.page import page
from remedis.reporting.label_budget_report.study_summary import Study
from remedis.reporting.svg import save
from remedis.training import run_directory


def write(workdir: files.Path) -> pathlib.Path:
    """Writes `report.html`, and each figure as SVG and PDF into `figures/`.

    The page needs no other file, no script and no network. Equal summaries give equal bytes. A
    study of several out-of-distribution sets has an overview as `report.html`, and the page of each
    set in `reports/`.

    Args:
      workdir: of the study, with `summary.json`, and `environment.json` for the versions.

    Returns:
      The path of the page, of the overview if there are several.

    Raises:
      UserError: the directory, or that of a set, has no `summary.json`.
    """
    run = pathlib.Path(workdir)
    report = run / "report.html"
    sets = run / "ood_sets.json"
    if not os.path.lexists(sets):
        _write_page(run, report)
        return report
    listed = summary_record.read_sets(run)
    folders = {one["name"]: run / one["directory"] for one in listed["sets"]}
    studies: dict[str, Study] = {}
    links: dict[str, str] = {}
    for name, folder in folders.items():
        file = re.sub(r"[^\w .()-]", "-", name)  # that of the first set may be a path
        while (link := f"reports/{urllib.parse.quote(file)}.html") in links.values():
            file += "-2"
        studies[name] = _write_page(folder, run / "reports" / f"{file}.html")
        links[name] = link
    caveats = [*listed["caveats"], *listed["overlaps"]]
    files.write_text(report, overview.page(studies, links, caveats, listed["title"]))
    for mode in next(iter(studies.values()))["modes"]:
        save(curve_figures.sets(studies, mode), run / "figures", f"sets-{mode}")
    return report


def _write_page(run: pathlib.Path, target: pathlib.Path) -> Study:
    """Writes the page of one set and its figures; returns the content of its `summary.json`."""
    if not os.path.lexists(run / "summary.json"):
        raise UserError(
            f"{run} holds no finished study: summary.json is missing; run finetune/ood_curves.py "
            "with this --workdir first."
        )
    study: Study = summary_record.read(run)
    installed = run_directory.read_environment(run).get("versions", {})
    versions = {name: version for name, version in installed.items() if version}
    save(curve_figures.curves(study), run / "figures", "curves")
    if study_summary.metric(study).top is None:
        for mode in study["modes"]:
            save(curve_figures.labels(study, mode), run / "figures", f"labels-{mode}")
    files.write_text(target, page(study, versions))
    return study
