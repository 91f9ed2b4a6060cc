"""``annotate.html``: a request as one page that people answer in a browser, without a server."""

from .build import PAGE, PageImage, build_page
from .saved import SavedWork, UnitTime, read_saved_work

__all__ = ['PAGE', 'PageImage', 'SavedWork', 'UnitTime', 'build_page', 'read_saved_work']
