"""Requests for annotation tools, and their exports as answers."""

from .annotation_plan import Plan, make_plan
from .answers import Answer, Summary, write_answers
from .export_file import Exported
from .formats import coco, cvat, label_studio
from .formats import masks as folder
from .label_set import LabelSet
from .package import export_request
from .request import AskedImage, Request, read_request

FORMATS = dict(folder=folder, cvat=cvat, label_studio=label_studio, coco=coco)
"""Modules by name; each has ``write_package`` and ``read``."""

__all__ = [
    'FORMATS',
    'Answer',
    'AskedImage',
    'Exported',
    'LabelSet',
    'Plan',
    'Request',
    'Summary',
    'export_request',
    'make_plan',
    'read_request',
    'write_answers',
]
