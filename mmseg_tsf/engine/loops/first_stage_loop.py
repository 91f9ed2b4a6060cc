"""The part of a training with rounds that comes before the first question."""

from __future__ import annotations

from mmseg.registry import LOOPS

from .active_learning_loop import ActiveLearningLoop

TRAINED = 'trained'
"""State of round 0 in the log after this loop: trained and validated, nothing asked."""


@LOOPS.register_module()
class FirstStageLoop(ActiveLearningLoop):
    """``ActiveLearningLoop`` that ends at its first boundary, before anything is asked.

    Nothing before that depends on the query strategy, the selector, the budget or the oracle. Every
    run that differs only in these can be resumed from the checkpoint that this loop leaves, and
    ends on a CPU like a run that trained its first stage itself;
    ``tools/active_learning/compare.py`` does so. The options are those of
    :class:`ActiveLearningLoop`.

    Raises:
        UserError: An option is invalid.
    """

    def _hold_round(self, number: int) -> bool:
        """Keeps the checkpoint and the validation of the boundary; never continues."""
        seconds = self._close_stage()
        self._record(number, TRAINED, seconds, self.campaign.spent(number))
        return False
