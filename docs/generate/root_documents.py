"""Pages made of documents at the root of the repository, with links that are right in the site."""

import pathlib
import posixpath
import re

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
PAGES = {**DOCUMENTS, "README.md": "index.md"}
LINK = re.compile(r"\[([^][]*)\]\(([^()\s#]+)(#[^()\s]*)?\)")


def with_links_of_the_site(text: str) -> str:
    """Returns Markdown of the root with links that are relative to `docs/`.

    A link to a file that is no page of the site, such as a program, becomes its path.

    Raises:
        ValueError: a link leads to a file that does not exist.
    """

    def rewritten(match: re.Match[str]) -> str:
        label, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(target)
        if not (ROOT / path).exists():
            raise ValueError(f"A document links to {target}, which does not exist.")
        if path in PAGES:
            return f"[{label}]({PAGES[path]}{anchor})"
        if path.startswith("docs/"):
            return f"[{label}]({path.removeprefix('docs/')}{anchor})"
        return f"`{path}`"

    # Code is left as it is: every second part is a fence or a code span.
    parts = re.split(r"(^ *```.*?^ *```$|`[^`\n]+`)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [LINK.sub(rewritten, part) for part in parts[::2]]
    return "".join(parts)


def pages() -> dict[str, str | bytes]:
    """Returns the pages of the root's documents."""
    return {
        page: with_links_of_the_site((ROOT / document).read_text(encoding="utf-8"))
        for document, page in DOCUMENTS.items()
    }
