"""The udev rules for every model of the table. `python -m drivers.udev` prints systemd/70-scansnap.rules."""

from drivers.models import MODELS

_HEAD = """\
# ScanSnap units for the group `scanner` (sysusers.conf) and the person at the seat.
# Made by `python -m drivers.udev` from drivers/models.py.
ACTION=="remove", GOTO="scansnap_end"
SUBSYSTEM!="usb", GOTO="scansnap_end"
ENV{DEVTYPE}!="usb_device", GOTO="scansnap_end"
"""
_TAIL = 'LABEL="scansnap_end"\n'


def rules() -> str:
    """Return the rules file: one line a model, by vendor and product id."""
    rows = [
        f"# {model.name}\n"
        f'ATTRS{{idVendor}}=="{model.vendor_id:04x}", ATTRS{{idProduct}}=="{model.product_id:04x}", '
        'MODE="0660", GROUP="scanner", TAG+="uaccess"\n'
        for model in MODELS
    ]
    return _HEAD + "".join(rows) + _TAIL


if __name__ == "__main__":
    print(rules(), end="")
