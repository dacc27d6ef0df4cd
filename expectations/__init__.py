"""The rules that say whether a day's figures are fit for use, as code.

``crucial.py`` defines what a rule is; every other module here holds the rules of one subject and is found
by itself. Importing this package imports nothing but the standard library.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from expectations.crucial import Principle, Rule, Severity, Stage, registered, rule

__all__ = ["Principle", "Rule", "Severity", "Stage", "rule", "rules"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def rules(stage: Stage | None = None) -> tuple[Rule, ...]:
    """Every rule (of ``stage``), in the order of CRUCIAL's letters and then of definition."""
    order = list(Principle)
    chosen = [known for known in registered() if stage in (None, known.stage)]
    return tuple(sorted(chosen, key=lambda known: order.index(known.principle)))
