"""Adds to pyproject.toml the configs, as the package's data, and the text for a package index."""

import pathlib
import re

import setuptools

# Beside other files in a folder of their own, whose parent a job puts on Python's path: configs
# import each other as `configs.common`.
CONFIGS = "remedis.share.configs"
README = pathlib.Path(__file__).parent / "README.md"


def description() -> str:
    """Returns README.md without links and images that lead nowhere outside the repository.

    `[how to](docs/how-to/embed.md)` becomes its text and the path, in code font.
    """
    text = re.sub(r"!\[[^]]*\]\((?!https:)[^)]*\)\n*", "", README.read_text(encoding="utf-8"))
    text = re.sub(r"\[([^]]*)\]\(\1\)", r"`\1`", text)
    return re.sub(r"\[([^]]*)\]\((?!https:)([^)#]*)[^)]*\)", r"\1 (`\2`)", text)


setuptools.setup(
    packages=[*setuptools.find_packages(include=["remedis", "remedis.*"]), CONFIGS],
    package_dir={CONFIGS: "configs"},
    long_description=description(),
    long_description_content_type="text/markdown",
)
