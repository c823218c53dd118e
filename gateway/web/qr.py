"""The QR code of an enrolment, as SVG: dark on light with its quiet zone, whatever the page's colours are."""

import io

import segno


def qr_svg(text: str) -> str:
    """Return a QR code (error correction M) as an SVG element without a fixed size."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, omitsize=True, nl=False
    )
    return out.getvalue().decode("utf-8")
