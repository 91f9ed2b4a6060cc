"""Which pixels, regions or images are asked, given their scores."""
