"""The default handlers of `hookline up`: they print each event.

Copy this file, change it, and run: PROCESSOR_HANDLERS=yourmodule:handlers hookline up
"""

from hookline import CallReceived, CallStatus, Context, Handlers, MessageReceived, MessageStatus

handlers = Handlers()


@handlers.on(MessageReceived, timeout=10)
async def greet(event: MessageReceived, context: Context) -> None:
    """Print the message. A real handler would return the reply: see echo_bot.py."""
    print(f"{event.from_} says: {event.body}  (attempt {context.attempt})", flush=True)


@handlers.on(MessageStatus)
def follow(event: MessageStatus, context: Context) -> None:
    """Print the new status of a message. A plain function works too; it runs in a thread."""
    print(f"{event.message_sid} is {event.message_status}", flush=True)


@handlers.on(CallReceived, CallStatus)
async def listen(event: CallReceived | CallStatus, context: Context) -> None:
    """Print the status of a call."""
    print(f"{event.call_sid} from {event.from_} is {event.call_status}", flush=True)
