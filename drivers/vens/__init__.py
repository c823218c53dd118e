"""ScanSnap units on Wi-Fi: the VENS protocol over UDP (wire, air, calls, known) and TCP (frames, link, reservation)."""
