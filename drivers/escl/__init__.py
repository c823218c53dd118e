"""Scanners that speak eSCL (AirScan): HTTP and XML, found by mDNS or at a fixed address."""
