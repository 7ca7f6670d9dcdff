"""Sync: documents, lists, maps and streams, and the endpoints that are connected."""

from collections.abc import Mapping
from typing import Any, Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Text
from hookline_shared.catalogue.kind import Condition, Key, Kind, Template, joined, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["SyncEvent"]

_SIDS: Final = ("DocumentSid", "ListSid", "MapSid", "StreamSid")
_REVISIONS: Final = ("EventId", "DocumentRevision", "ItemRevision", "Revision", "StreamMessageSid", "MessageSid")


class SyncEvent(WebhookEvent):
    """An object of Sync changed. `event_type` says how, for example document_updated. `document_data` and `item_data` are JSON.

    A revision is an opaque string that can only be compared. An event such as endpoint_connected is about no object.
    """

    kind = "sync.*"
    event_type = Text("EventType")
    event_id = Text("EventId")
    service_sid = Text("ServiceSid")
    endpoint_id = Text("EndpointId")
    identity = Text("Identity")
    document_sid = Text("DocumentSid")
    document_unique_name = Text("DocumentUniqueName")
    document_revision = Text("DocumentRevision")
    document_data = Text("DocumentData")
    document_data_json = Json("DocumentData")
    list_sid = Text("ListSid")
    list_unique_name = Text("ListUniqueName")
    map_sid = Text("MapSid")
    map_unique_name = Text("MapUniqueName")
    stream_sid = Text("StreamSid")
    stream_message_sid = Text("StreamMessageSid")
    item_index = Text("ItemIndex")
    item_key = Text("ItemKey")
    item_revision = Text("ItemRevision")
    item_data = Text("ItemData")
    item_data_json = Json("ItemData")


def _is_sync(params: Params) -> bool:
    what = params.get("EventType", "")
    if not what or "CallSid" in params:
        return False
    return any(name in params for name in _SIDS) or (what.startswith("endpoint_") and "EndpointId" in params)


def _sync_key(params: Params) -> str:
    sid = next((params[name] for name in _SIDS if params.get(name)), "")
    revision = next((params[name] for name in _REVISIONS if params.get(name)), "")
    place = params.get("ItemIndex") or params.get("ItemKey", "")
    return joined(sid, params.get("EventType", ""), place, revision) if sid and revision else ""


def _sample(event: str) -> Mapping[str, Any]:
    """Return the change of a document, list item or map item, or what happened to an endpoint."""
    common = {
        "AccountSid": "AC00000000000000000000000000000001",
        "ServiceSid": "IS00000000000000000000000000000001",
        "EventType": "<event>",
        "EndpointId": "endpoint1",
        "Identity": "zoe",
    }
    item = {"ItemRevision": "0", "ItemData": '{"table":12}'}
    if event.startswith("endpoint"):
        return common
    if event.startswith("list"):
        return common | {"ListSid": "ES*", "ListUniqueName": "orders", "ItemIndex": "4"} | item
    if event.startswith("map"):
        return common | {"MapSid": "MP*", "MapUniqueName": "tables", "ItemKey": "terrace"} | item
    return common | {
        "DocumentSid": "ET*",
        "DocumentUniqueName": "menu",
        "DocumentRevision": "1a",
        "DocumentData": '{"soup":"tomato"}',
    }


SYNC: Final = Kind(
    name="sync",
    topic=topics.EVENTS,
    condition=Condition(
        _is_sync,
        "`EventType`; `DocumentSid`, `ListSid`, `MapSid`, `StreamSid`, or `EventType=endpoint_…`; no `CallSid`",
        (("EventType",), (*_SIDS, "EndpointId")),
    ),
    event_type=key("EventType"),
    dedupe=Key(_sync_key, "SID, `EventType`, item, `EventId` or revision; without both: content"),
    ordering=key("DocumentSid|ListSid|MapSid|StreamSid|EndpointId"),
    event=SyncEvent,
    source="https://www.twilio.com/docs/sync/webhooks",
    sample=Template(_sample, short="sync", path="/twilio/sync", event="document_updated"),
)
KINDS: Final = (SYNC,)
