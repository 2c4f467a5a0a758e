"""The files of the report, written into the directory of the study."""

import pathlib

from remedis import files
from remedis.errors import UserError
from remedis.reporting.label_budget_report import curve_figures, study_summary
from remedis.reporting.label_budget_report.figure_export import save
from remedis.reporting.label_budget_report.page import page


def write(workdir: files.Path) -> pathlib.Path:
    """Writes `report.html`, and each figure as SVG and PDF into `figures/`.

    The page needs no other file, no script and no network. Equal summaries give equal bytes.

    Args:
      workdir: of the study, with `summary.json`, and `environment.json` for the versions.

    Returns:
      The path of the page.

    Raises:
      UserError: the directory has no `summary.json`.
    """
    run = pathlib.Path(workdir)
    if not (run / "summary.json").is_file():
        raise UserError(
            f"{run} holds no finished study: summary.json is missing; run finetune/ood_curves.py "
            "with this --workdir first."
        )
    study = files.read_json(run / "summary.json")
    environment = run / "environment.json"
    installed = files.read_json(environment)["versions"] if environment.is_file() else {}
    versions = {name: version for name, version in installed.items() if version}
    save(curve_figures.curves(study), run / "figures", "curves")
    if study_summary.metric(study).top is None:
        for mode in study["modes"]:
            save(curve_figures.labels(study, mode), run / "figures", f"labels-{mode}")
    report = run / "report.html"
    files.write_text(report, page(study, versions))
    return report
