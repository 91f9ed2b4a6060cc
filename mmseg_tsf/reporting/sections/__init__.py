"""Content of the report page's sections."""
