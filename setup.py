"""Adds the configs to the package as its data; all else about it is in pyproject.toml."""

import setuptools

# Beside other files in a folder of their own, whose parent a job puts on Python's path: configs
# import each other as `configs.common`.
CONFIGS = "remedis.share.configs"

setuptools.setup(
    packages=[*setuptools.find_packages(include=["remedis", "remedis.*"]), CONFIGS],
    package_dir={CONFIGS: "configs"},
)
