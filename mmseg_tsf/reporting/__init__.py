"""A page on a run that opens in any browser, without a network."""

from .page import write_report

__all__ = ['write_report']
