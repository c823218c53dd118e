"""ScanSnap units on Wi-Fi: the VENS protocol over UDP and TCP."""
