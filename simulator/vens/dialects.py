"""How the models differ on the air, one row each. Data only. "derived": nobody has published it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """`interface`: what it says it speaks; `longer`: the 144-byte reply; `talks`: it lets itself be reserved at all."""

    family: bytes
    interface: int
    longer: bool = False
    talks: bool = True


DIALECTS: dict[str, Dialect] = {
    "if4": Dialect(b"VENS", 4),  # published: iX500, mobile app
    "if6": Dialect(b"VENS", 6),  # published: iX500, macOS
    "ix100": Dialect(b"VENS", 0x0010, longer=True),  # open driver
    "ix1300": Dialect(b"VENS", 0x0010),  # prototype's notes
    "ssnr": Dialect(b"ssNR", 0x0100, talks=False),  # app code only: how it is talked to is not published
    "v2ss": Dialect(b"V2ss", 0x1000, talks=False),  # derived
}
_BY_MODEL = {
    "iX500": "if4",
    "iX500EE": "if4",
    "iX100": "ix100",
    "iX110": "ix100",
    "iX1300": "ix1300",
    "iX1500": "ssnr",
    "iX1600": "ssnr",
    "iX2500": "v2ss",
}


def of(model: str, wanted: str) -> Dialect:
    """Return the dialect that is wanted, or the model's own; ValueError for what there is not."""
    name = wanted or _BY_MODEL.get(model, "")
    if name not in DIALECTS:
        raise ValueError(f"{model} has no Wi-Fi dialect {wanted!r}; known are {', '.join(DIALECTS)}")
    return DIALECTS[name]
