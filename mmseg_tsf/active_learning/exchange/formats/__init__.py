"""One module per annotation tool."""
