"""The version of this build, as it stands in pyproject.toml."""

VERSION = "0.1.0"
