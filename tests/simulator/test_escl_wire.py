"""eSCL's XML: what sane-airscan sends is read, hostile bodies are refused, and answers are well-formed."""

from contextlib import suppress

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from simulator.escl import replies
from simulator.escl.wire import MAX_BODY_BYTES, PWG, SCAN, Region, Settings, Source, WireError, parse_settings

# As sane-airscan 0.99.27 sends it for a duplex scan (escl-mdns-snmp, 3.3).
SANE = f"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScanSettings xmlns:pwg="{PWG}" xmlns:scan="{SCAN}">
  <pwg:Version>2.0</pwg:Version>
  <pwg:ScanRegions><pwg:ScanRegion>
     <pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>
     <pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>
     <pwg:Width>2550</pwg:Width><pwg:Height>4200</pwg:Height>
  </pwg:ScanRegion></pwg:ScanRegions>
  <pwg:InputSource>Feeder</pwg:InputSource>
  <scan:ColorMode>RGB24</scan:ColorMode>
  <pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>
  <scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>
  <scan:XResolution>100</scan:XResolution><scan:YResolution>100</scan:YResolution>
  <scan:Duplex>true</scan:Duplex>
</scan:ScanSettings>"""
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


def test_the_settings_of_sane_airscan_are_read() -> None:
    assert parse_settings(SANE.encode()) == Settings(
        Source.FEEDER, "RGB24", "image/jpeg", 100, 100, True, Region(0, 0, 2550, 4200)
    )


def test_prefixes_do_not_matter_and_unknown_elements_are_passed_over() -> None:
    text = SANE.replace("pwg:", "a:").replace(":pwg", ":a").replace("scan:", "b:").replace(":scan", ":b")
    more = text.replace("<b:Duplex>", "<b:Intent>Document</b:Intent><c:New xmlns:c='urn:c'>1</c:New><b:Duplex>")
    assert parse_settings(more.encode()) == parse_settings(SANE.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<scan",
        b"<ScanSettings/>",
        SANE.replace(SCAN, "urn:other").encode(),
        SANE.replace("<scan:ScanSettings", BOMB + "<scan:ScanSettings").encode(),
        SANE.replace(">100<", ">-1<").encode(),
        SANE.replace(">2550<", ">1e9<").encode(),
        SANE.replace(">true<", ">maybe<").encode(),
        SANE.replace("UTF-8", "no-such").encode(),
        SANE.encode() + b" " * MAX_BODY_BYTES,
        b"<a>" * 3000,
    ],
    ids=["empty", "cut", "bare", "namespace", "bomb", "negative", "number", "flag", "encoding", "long", "deep"],
)
def test_what_is_no_settings_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        parse_settings(body)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(WireError):
        parse_settings(data)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40), st.integers(0, len(SANE)))
def test_settings_with_something_in_them_are_read_or_refused(extra: str, at: int) -> None:
    with suppress(WireError):
        assert isinstance(parse_settings((SANE[:at] + extra + SANE[at:]).encode()), Settings)


@pytest.mark.parametrize("prefixes", [("pwg", "scan"), ("ns1", "ns2")])
def test_capabilities_are_well_formed_whatever_the_name_and_prefixes(prefixes: tuple[str, str]) -> None:
    about = replies.About('A <"&> B', "1", "u", (2550, 3508), (2612, 10356), True, prefixes)
    root = fromstring(replies.capabilities(about), forbid_dtd=True)
    assert root.tag == f"{{{SCAN}}}ScannerCapabilities"
    assert root.findtext(f"{{{PWG}}}MakeAndModel") == 'A <"&> B'
    inputs = [element.tag.rpartition("}")[2] for element in root.iter() if element.tag.endswith("InputCaps")]
    assert inputs == ["PlatenInputCaps", "AdfSimplexInputCaps", "AdfDuplexInputCaps"]
    assert [e.text for e in root.iter(f"{{{SCAN}}}MaxHeight")] == ["3508", "10356", "10356"]
