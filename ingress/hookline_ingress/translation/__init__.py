"""From a verified request to events: the kind of each webhook, its dedupe key and its ordering key."""
