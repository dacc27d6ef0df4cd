"""The one place that knows where the rules lie: the project's ``expectations/`` folder."""

from __future__ import annotations

import sys

from callhouse.settings import PROJECT

# The folder is the operator's, like config/ and dags/, and not part of the installed package.
if str(PROJECT) not in sys.path:
    sys.path.append(str(PROJECT))

from expectations import Principle, Rule, Severity, Stage, rules

__all__ = ["Principle", "Rule", "Severity", "Stage", "rules"]
