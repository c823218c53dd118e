"""Where documents go: one file each, behind port.py; net.py is the guard of everything that leaves by network."""
