"""The API's rows about what the account is told, and where else it is pushed to."""

from gateway.web.api import notices
from gateway.web.api.row import api
from gateway.web.route import ENROLS, SIGNED_IN, VERIFIED, Route

NOTICES: tuple[Route, ...] = (
    api("GET", "/notices", notices.list_notices, ENROLS, answer=notices.NoticeList),
    api("POST", "/notices/{id}/read", notices.put_away, SIGNED_IN, status=204, denies=("not_found",)),
    api("GET", "/channels", notices.list_channels, SIGNED_IN, answer=notices.ChannelList),
    api(
        "POST",
        "/channels",
        notices.add_channel,
        VERIFIED,
        body=notices.NewChannel,
        answer=notices.ChannelAnswer,
        status=201,
        fresh=True,
        denies=("channel_unusable", "too_many_channels"),
        once=True,
    ),
    api(
        "POST",
        "/channels/{id}/test",
        notices.test_channel,
        VERIFIED,
        status=204,
        denies=("not_found", "channel_failed"),
    ),
    api("DELETE", "/channels/{id}", notices.remove_channel, VERIFIED, status=204, fresh=True, denies=("not_found",)),
)
