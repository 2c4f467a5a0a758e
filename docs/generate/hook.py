"""Hook of mkdocs: adds generated pages to the site, and its search index as a script.

`GENERATORS` names the modules beside this one. Each has a function `pages()`, which returns the
path below `docs/` and the content of every page and image that it makes. Generated files are not
written into `docs/`.

The environment variable `REMEDIS_DOCS`, a list such as `root_documents,records`, runs these
generators only; other pages of the navigation that do not exist are then placeholders.
"""

import importlib
import os
import pathlib
import re
import sys
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[2]
GENERATORS = (
    "root_documents",
    "records",
    "run_files",
    "source_pages",
    "config_pages",
    "operation_pages",
    "command_pages",
    "numbers_figures",
    "example_report",
    "notebooks",
)

# Blocks of code are no match: they have tags inside.
_INLINE_CODE = re.compile(r"<code>([^<]*)</code>")
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z]\w*")
# Such as 0.93 [0.53, 0.99], +0.1 [-0.2, +0.4] and 80 %, outside tags.
_INTERVAL = r"[+-]?[\d.]+ \[[+-]?[\d.]+, [+-]?[\d.]+\]"
_NUMBER = re.compile(rf"(?:{_INTERVAL}|\b\d[\d.]* %)(?![^<>]*>)")


def generate(names: tuple[str, ...]) -> dict[str, str | bytes]:
    """Returns the files that the generators make, by their path below `docs/`.

    Raises:
        PluginError: two generators make the same file, or a generator makes one that `docs/` has.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # mkdocs runs this file by its path, outside any package
    from remedis.cli import tensorflow_start

    tensorflow_start.hush()
    files: dict[str, str | bytes] = {}
    for name in names:
        for path, content in importlib.import_module(f"docs.generate.{name}").pages().items():
            if path in files or (ROOT / "docs" / path).exists():
                raise PluginError(f"docs/generate/{name}.py makes {path}, which exists already.")
            files[path] = content
    return files


def chosen(setting: str) -> tuple[str, ...]:
    """Returns the generators that `REMEDIS_DOCS` names; all of them if it is empty."""
    names = tuple(filter(None, setting.split(",")))
    if unknown := set(names) - set(GENERATORS):
        raise PluginError(
            f"REMEDIS_DOCS names {sorted(unknown)}; generators are: {', '.join(GENERATORS)}."
        )
    return names or GENERATORS


def named_pages(nav: Any) -> list[str]:
    """Returns the paths in a navigation, in its order."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in named_pages(entry)]


def expanded(nav: Any, pages: list[str]) -> Any:
    """Returns the navigation with the pages of a folder in place of its entry `FOLDER/*`."""
    named = set(named_pages(nav))

    def expand(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {title: expand(below) for title, below in entry.items()}
        if isinstance(entry, str):
            return entry
        found: list[Any] = []
        for item in entry:
            if isinstance(item, str) and item.endswith("/*"):
                inside = [page for page in pages if page.rpartition("/")[0] == item[:-2]]
                found += sorted(set(inside) - named)
            else:
                found.append(expand(item))
        return found

    return expand(nav)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated files, and fills the navigation with them."""
    setting = os.environ.get("REMEDIS_DOCS", "")
    for path, content in generate(chosen(setting)).items():
        files.append(File.generated(config, path, content=content))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = expanded(config.nav, pages)
    if setting:
        for path in set(named_pages(config.nav)) - set(pages):
            files.append(File.generated(config, path, content=f"# {path}\n\nNot generated.\n"))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Keeps names of options in running text, intervals and percentages on one line.

    Browsers break lines after hyphens, and `--` at the end of a line hides what it belongs to.
    """

    def unbroken(code: re.Match[str]) -> str:
        text = _OPTION.sub(r'<span class="unbroken">\g<0></span>', code[1])
        return f"<code>{text}</code>"

    html = _INLINE_CODE.sub(unbroken, html)
    return _NUMBER.sub(r'<span class="unbroken">\g<0></span>', html)


def on_post_build(config: MkDocsConfig) -> None:
    """Writes the search index as a script too: a page opened from a file may not fetch JSON.

    The theme's script reads the variable `__index` of this file if the address begins with
    `file:`; `docs/assets/file-worker.js` then runs the search.
    """
    search = pathlib.Path(config.site_dir) / "search"
    index = (search / "search_index.json").read_text(encoding="utf-8")
    (search / "search_index.js").write_text(f"var __index = {index};\n", encoding="utf-8")
