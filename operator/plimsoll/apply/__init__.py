"""How does a plan become writes, and only the writes that are needed?

- In: a finished ``Plan`` and what is there (``Present``). Out: ``Applied``, what was done and what could not be.
- ``owned`` keeps the Deployments of variants with a template, ``steps`` sets replicas after a second look (and
  ``deletion_marks`` says which pods go first), ``retirement`` ends what no variant uses any more, ``statuses``
  and ``events`` tell about it, in the words of ``status`` and ``pool_status``.
- Every write passes ``writer``: fenced by the lease, counted. No write without a material difference.
- Never decides; never writes a spec that is not Plimsoll's own.
"""

from plimsoll.apply.applier import Applied, Applier
from plimsoll.apply.present import Present
from plimsoll.apply.statuses import StatusFailure
from plimsoll.apply.steps import Result, StepOutcome, log_fields

__all__ = ["Applied", "Applier", "Present", "Result", "StatusFailure", "StepOutcome", "log_fields"]
