"""The gate: the CRUCIAL rules (``expectations/``) measured by SQL, judged by Great Expectations.

``check(settings, run_id, stage)`` is all a caller needs; ``document`` makes the rule book.
"""

from __future__ import annotations

from callhouse.quality.gate import GateResult, RuleResult, check

__all__ = ["GateResult", "RuleResult", "check"]
