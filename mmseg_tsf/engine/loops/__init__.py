"""Training with rounds of active learning, and evaluation of several networks."""

from .active_learning_loop import ActiveLearningLoop
from .first_stage_loop import FirstStageLoop
from .semi_val_loop import SemiTestLoop, SemiValLoop

__all__ = ['ActiveLearningLoop', 'FirstStageLoop', 'SemiTestLoop', 'SemiValLoop']
