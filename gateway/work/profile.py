"""From a unit's settings to the profile that its driver is given, and whether the unit can do it."""

from dataclasses import asdict

from drivers.port import Capabilities, Colour, Paper, Profile
from gateway.core.model import UnitSettings
from gateway.work.outcomes import Denied


def profile(settings: UnitSettings) -> Profile:
    """Return the profile of a unit's settings; ValueError for a colour or paper that no driver knows."""
    values = asdict(settings)
    del values["on_paper"]
    return Profile(**(values | {"colour": Colour(settings.colour), "paper": Paper(settings.paper)}))


def refusal(settings: UnitSettings, able: Capabilities | None) -> Denied | None:
    """Return why a unit that can do this much cannot do that, or None; an unknown unit is believed."""
    if able is None:
        return None
    if settings.resolution_dpi not in able.resolutions_dpi:
        known = ", ".join(map(str, able.resolutions_dpi))
        return Denied("unusable", f"This unit scans at {known} dpi, not at {settings.resolution_dpi}.", 422)
    if settings.colour not in able.colours:
        return Denied("unusable", f"This unit does not scan in {settings.colour}.", 422)
    return None
