"""The device side of eSCL: an HTTP server for each scanner that has a platen or a feeder."""
