"""Requests for annotation tools, and their exports as answers."""

from .annotation_plan import AnnotationPlan, make_plan
from .answers import ImageLabels, ImportSummary, write_answers
from .formats import ExchangeFormat, Package, PackedImage, Parse
from .gather import read_exports
from .label_set import LabelSet
from .package import export_request
from .readers.pictures import check_size
from .readers.values import BrokenShape
from .request import AskedImage, RequestFolder, read_request
from .tool_export import ToolExport
from .votes import Agreement

__all__ = [
    'Agreement',
    'AnnotationPlan',
    'RequestFolder',
    'AskedImage',
    'BrokenShape',
    'ExchangeFormat',
    'ImageLabels',
    'ImportSummary',
    'LabelSet',
    'Package',
    'PackedImage',
    'Parse',
    'ToolExport',
    'check_size',
    'export_request',
    'make_plan',
    'read_exports',
    'read_request',
    'write_answers',
]
