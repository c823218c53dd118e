"""Rules. Standard library and pyotp only: no clock, no I/O, no await, no logging; `now` is passed in."""
