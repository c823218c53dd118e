"""The device side of VENS: discovery by UDP, a control and a data channel by TCP."""
