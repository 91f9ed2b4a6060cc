"""Reports and tables of runs, read from their folders."""

from .page import write_report

__all__ = ['write_report']
