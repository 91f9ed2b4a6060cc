"""The supervised baseline."""

from mmseg.registry import MODELS

from .semi_base import SemiSegmentor


@MODELS.register_module()
class SupervisedOnly(SemiSegmentor):
    """One network trained on the labelled images alone (the paper's SupOnly row).

    The template as it stands; unlabelled images in the batch are not looked at.
    """
