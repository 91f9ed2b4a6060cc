"""What a campaign keeps on disk, and how it is verified."""
