"""Requests for annotation tools, and their exports as answers."""

from .annotation_plan import AnnotationPlan, make_plan
from .answers import ImageLabels, ImportSummary, check_size, write_answers
from .formats import ExchangeFormat, Package, PackedImage
from .label_set import LabelSet
from .package import export_request
from .request import AskedImage, RequestFolder, read_request
from .tool_export import ToolExport

__all__ = [
    'AnnotationPlan',
    'RequestFolder',
    'AskedImage',
    'ExchangeFormat',
    'ImageLabels',
    'ImportSummary',
    'LabelSet',
    'Package',
    'PackedImage',
    'ToolExport',
    'check_size',
    'export_request',
    'make_plan',
    'read_request',
    'write_answers',
]
