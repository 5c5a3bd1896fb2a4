"""The page of the operator's settings."""

from __future__ import annotations

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from tools.pages.table import code, table

from batchyard.settings import Settings

_HEAD = """# Settings of the operator

Every setting is an environment variable; in the chart they go into `operator.env`. A wrong value ends the operator at
its start with a sentence that names the variable. This page is made from `operator/batchyard/settings.py`.

"""


def page() -> str:
    """Return the page."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        (", ".join(map(code, _variables(prefix + name.upper(), field))), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + table(("variable", "default", ""), rows)


def _variables(own: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [own]


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "made at each start"
    return "" if field.default is None else code(field.default)
