"""SECURITY.md: its promises have tests, and licences are those of the installed packages."""

import ast
import importlib.metadata
import pathlib
import re
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted((ROOT / "remedis").rglob("*.py"))
SECURITY = (ROOT / "SECURITY.md").read_text()
PROMISES = SECURITY.partition("## What the software promises")[2].partition("\n## ")[0]
TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")

CONNECTIONS = {
    *("aiohttp", "ftplib", "gdown", "http.client", "http.server", "httpx", "huggingface_hub"),
    *("requests", "smtplib", "urllib.request", "urllib3", "wget", "websockets", "xmlrpc"),
}
PROGRAMS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "torch"}


def imports(path: pathlib.Path) -> set[str]:
    """Returns the full names that a module imports, with the packages above them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found | {name.partition(".")[0] for name in found}


def test_every_promise_names_its_tests():
    promises = re.split(r"\n- ", PROMISES)[1:]
    assert len(promises) > 8
    assert not [promise[:60] for promise in promises if not TESTS.search(promise)]


@pytest.mark.parametrize(("path", "name"), sorted(set(TESTS.findall(SECURITY))))
def test_the_tests_that_are_named_exist(path, name):
    tree = ast.parse((ROOT / path).read_text())
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in found
    slow = "pytest.mark.slow" in map(ast.unparse, found[name].decorator_list)
    assert slow == path.startswith("tests/fuzz/")


def test_no_module_opens_connections():
    assert not {str(path): found for path in MODULES if (found := imports(path) & CONNECTIONS)}


def test_no_module_runs_data():
    assert not {str(path): found for path in MODULES if (found := imports(path) & PROGRAMS)}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            assert not (isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")), path
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle":
                    assert ast.unparse(keyword.value) == "False", path


def extras() -> dict[str, list[str]]:
    """Returns the packages of each extra, from the table in docs/licences.md."""
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    section = page.partition("## Licences of the extras")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", section, re.MULTILINE)
    return {name: [packages, licences] for name, packages, licences in rows}


def packages_of(extra: str) -> list[str]:
    """Returns the packages that pyproject.toml lists for an extra."""
    tomllib = pytest.importorskip("tomllib")
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=\[]", name)[0] for name in listed["optional-dependencies"][extra]]
    return [name for name in names if name != "remedis"]


@pytest.mark.parametrize("extra", ["dicom-permissive", "dicom", "slides", "docs"])
def test_licences_are_those_of_the_installed_packages(extra):
    listed, licences = extras()[extra]
    for package in packages_of(extra):
        assert package in listed
        try:
            metadata: Any = importlib.metadata.metadata(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
        text = " ".join(
            [
                metadata.get("License-Expression") or "",
                (metadata.get("License") or "")[:100],
                *(line for line in metadata.get_all("Classifier", []) if "License ::" in line),
            ]
        )
        copyleft = "LGPL" if "LGPL" in text else "GPL" if re.search(r"\bGPL", text) else ""
        if copyleft:
            assert re.search(rf"\b{copyleft}-", licences), (package, text)
        else:
            kinds = {
                "MIT": "MIT",
                "BSD": "BSD",
                "PSF": "PSF",
                "Python Software": "PSF",
                "ISC": "ISC",
            }
            assert [kind for word, kind in kinds.items() if word in text and kind in licences], text


def test_the_permissive_extra_has_no_copyleft():
    assert "GPL" not in extras()["dicom-permissive"][1]


def test_every_extra_is_listed_with_its_licences():
    tomllib = pytest.importorskip("tomllib")
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras()) == set(listed["optional-dependencies"]) - {"dev"}
