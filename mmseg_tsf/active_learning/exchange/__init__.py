"""Requests for annotation tools, and their exports as answers.

Arrows: ``oracles`` use this folder; it uses ``store`` and ``selection.clicks``.
"""

from . import formats
from .annotation_plan import AnnotationPlan, make_plan
from .answers import ImageLabels, ImportSummary, write_answers
from .label_set import LabelSet
from .package import export_request
from .request import AnnotationRequest, AskedImage, read_request
from .tool_export import ToolExport

__all__ = [
    'AnnotationPlan',
    'AnnotationRequest',
    'AskedImage',
    'ImageLabels',
    'ImportSummary',
    'LabelSet',
    'ToolExport',
    'export_request',
    'formats',
    'make_plan',
    'read_request',
    'write_answers',
]
