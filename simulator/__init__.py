"""A simulated fleet of scanners."""
