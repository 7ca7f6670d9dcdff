"""TaskRouter: events of a workspace, and the question how to assign a task. Flex sends both for its own workspace."""

from collections.abc import Mapping
from typing import Any, Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import Kind, Template, has, key
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["TaskAssignment", "TaskRouterEvent"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"
_WORKSPACE: Final = "WS00000000000000000000000000000001"
_VOLATILE: Final = frozenset(
    {"TaskAge", "TaskAgeMs", "TaskAgeInQueue", "WorkerTimeInPreviousActivity", "WorkerTimeInPreviousActivityMs"}
)
"""Parameters that say how long something took until this delivery."""


class TaskRouterEvent(WebhookEvent):
    """Something happened in a TaskRouter workspace. `event_type` says what, for example reservation.created.

    `task_attributes` and `worker_attributes` are JSON.
    """

    kind = "taskrouter.*"
    event_type = Text("EventType")
    event_description = Text("EventDescription")
    sid = Text("Sid")
    workspace_sid = Text("WorkspaceSid")
    workspace_name = Text("WorkspaceName")
    resource_type = Text("ResourceType")
    resource_sid = Text("ResourceSid")
    timestamp = Text("Timestamp")
    task_sid = Text("TaskSid")
    task_attributes = Text("TaskAttributes")
    task_attributes_json = Json("TaskAttributes")
    task_age = Number("TaskAge")
    task_priority = Number("TaskPriority")
    task_assignment_status = Text("TaskAssignmentStatus")
    task_completed_reason = Text("TaskCompletedReason")
    task_canceled_reason = Text("TaskCanceledReason")
    task_queue_sid = Text("TaskQueueSid")
    task_queue_name = Text("TaskQueueName")
    task_channel_unique_name = Text("TaskChannelUniqueName")
    reservation_sid = Text("ReservationSid")
    worker_sid = Text("WorkerSid")
    worker_name = Text("WorkerName")
    worker_attributes = Text("WorkerAttributes")
    worker_attributes_json = Json("WorkerAttributes")
    worker_activity_name = Text("WorkerActivityName")
    worker_activity_sid = Text("WorkerActivitySid")
    workflow_sid = Text("WorkflowSid")
    workflow_name = Text("WorkflowName")


class TaskAssignment(WebhookEvent):
    """TaskRouter reserved a worker for a task, and asks what to do. The route's reply is the instruction."""

    kind = "assignment"
    reservation_sid = Text("ReservationSid")
    task_sid = Text("TaskSid")
    task_attributes = Text("TaskAttributes")
    task_attributes_json = Json("TaskAttributes")
    task_age = Number("TaskAge")
    task_priority = Number("TaskPriority")
    task_queue_sid = Text("TaskQueueSid")
    worker_sid = Text("WorkerSid")
    worker_name = Text("WorkerName")
    worker_attributes = Text("WorkerAttributes")
    worker_attributes_json = Json("WorkerAttributes")
    workflow_sid = Text("WorkflowSid")
    workspace_sid = Text("WorkspaceSid")
    assignment_status = Text("AssignmentStatus")
    timestamp = Text("Timestamp")


def _sample(event: str) -> Mapping[str, Any]:
    """Return the parameters of an event, with a worker if it is about a reservation."""
    what = event.partition(".")[0]
    reserved = {
        "ReservationSid": "<ResourceSid>",
        "ReservationVersion": "0",
        "WorkerSid": "WK*",
        "WorkerName": "zoe",
        "WorkerAttributes": '{"languages":["en","fr"]}',
        "WorkerActivityName": "Idle",
    }
    return {
        "EventType": "<event>",
        "AccountSid": _ACCOUNT,
        "WorkspaceSid": _WORKSPACE,
        "WorkspaceName": "Support",
        "EventDescription": f"{what.capitalize()} <ResourceSid> <event>",
        "ResourceType": what,
        "ResourceSid": "WR*" if what == "reservation" else "WT*",
        "Timestamp": "1750345200",
        "TimestampMs": "1750345200611",
        "Sid": "EV*",
        "TaskSid": "<ResourceSid>" if what == "task" else "WT*",
        "TaskAttributes": '{"from":"+15005550006"}',
        "TaskAge": "3",
        "TaskPriority": "0",
        "TaskAssignmentStatus": "reserved" if what == "reservation" else "pending",
        "TaskChannelUniqueName": "voice",
        "TaskQueueSid": "WQ*",
        "TaskQueueName": "English",
        "WorkflowSid": "WW*",
        "WorkflowName": "Calls",
    } | (reserved if what == "reservation" else {})


TASKROUTER: Final = Kind(
    name="taskrouter",
    topic=topics.EVENTS,
    condition=has("EventType", "ResourceSid"),
    event_type=key("EventType"),
    dedupe=key("EventType", "ResourceSid", "TimestampMs|Timestamp"),
    ordering=key("ResourceSid"),
    volatile=_VOLATILE,
    event=TaskRouterEvent,
    source="https://www.twilio.com/docs/taskrouter/api/event/reference",
    sample=Template(_sample, short="taskrouter", path="/twilio/taskrouter", event="task.created"),
)
ASSIGNMENT: Final = Kind(
    name="assignment",
    topic=topics.EVENTS,
    condition=has("TaskSid", "ReservationSid", lacks=("EventType",)),
    dedupe=key("ReservationSid", "Timestamp"),
    ordering=key("ReservationSid"),
    volatile=_VOLATILE,
    event=TaskAssignment,
    source="https://www.twilio.com/docs/taskrouter/handle-assignment-callbacks",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "WorkspaceSid": _WORKSPACE,
            "WorkflowSid": "WW*",
            "TaskQueueSid": "WQ*",
            "TaskSid": "WT*",
            "TaskAttributes": '{"type":"support"}',
            "TaskAge": "3",
            "TaskPriority": "0",
            "ReservationSid": "WR*",
            "WorkerSid": "WK*",
            "WorkerName": "zoe",
            "WorkerAttributes": '{"languages":["en","fr"]}',
            "Timestamp": "1750345200",
        },
        short="assignment",
        path="/twilio/taskrouter",
    ),
)
KINDS: Final = (TASKROUTER, ASSIGNMENT)
