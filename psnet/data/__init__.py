"""FILES -> BATCHES. Knows disks and resolutions; knows no network."""
