"""What to do when a metric moves: the part of docs/metrics.md that the code does not know."""

from typing import Final

ADVICE: Final = {
    "hookline_ingress_requests_total": "5xx: webhooks are being lost; `outcome` says why. 403: a wrong token or PUBLIC_URL, or "
    "a sender that is not Twilio",
    "hookline_ingress_request_seconds": "Rises: find the slow stage in hookline_ingress_stage_seconds. Twilio gives up after "
    "15 s",
    "hookline_ingress_stage_seconds": "read rises: slow senders or network. verify, translate, reply: CPU. write: Redis, or "
    "the spool's disk",
    "hookline_ingress_batch_events": "Grows with the load. At 500 all the time: Redis or its network is the bottleneck",
    "hookline_ingress_signed_total": "Keep an old token while it still verifies requests; remove it when it no longer does",
    "hookline_ingress_tokens_asked_total": "failed: the function is broken, and webhooks of new accounts get a 503. limited: "
    "someone names accounts that are not yours",
    "hookline_ingress_connections": "Near INGRESS_MAX_CONNECTIONS, idle connections are closed: look for clients that are not "
    "Twilio",
    "hookline_ingress_read_bytes": "Nears INGRESS_READ_MEMORY_MB: someone sends many large requests slowly, and "
    "the largest get a 503",
    "hookline_live_total": "held: handlers are late, or none runs. Others: callers hear the fallback: docs/live.md",
    "hookline_live_seconds": "Rises: handlers of live routes are slow. Above INGRESS_LIVE_WAIT_S, callers hear pauses",
    "hookline_live_late_seconds": "Nears INGRESS_HOLD_S: soon callers hear the fallback",
    "hookline_live_waiting": "Nears INGRESS_MAX_WAITING: handlers are slow; above it, callers hear a pause first",
    "hookline_spool_events": "Above 0 for long: Redis is down or a backlog is full; see `hookline status`",
    "hookline_spool_bytes": "Nears INGRESS_SPOOL_MAX_MB: restore Redis before webhooks get a 503",
    "hookline_live_processors": "0 at ingress: no event is handled; start a processor",
    "hookline_unread_partitions": "Above 0: give the processors the same topics as ingress in the TOML file",
    "hookline_spool_refusing": "1: free up space on that disk, or repair it, before Redis fails, too",
    "hookline_spool_read_errors_total": "Grows: the disk of the spool fails, and events wait there; repair it",
    "hookline_spool_fill_ratio": "Nears 1: restore Redis, or raise INGRESS_SPOOL_MAX_MB, before webhooks get a 503",
    "hookline_spool_drained_total": "new: events that the spool saved. Many duplicate: Redis had accepted events, but its "
    "response was lost",
    "hookline_limits_shared": "0: each ingress process applies the limits by itself, so their sum is higher",
    "hookline_handler_seconds": "Rises: a service that handlers call is slow. At PROCESSOR_HANDLER_TIMEOUT_S attempts are "
    "cancelled",
    "hookline_wait_seconds": "Rises: start more processors, or raise PROCESSOR_CONCURRENCY",
    "hookline_handler_failures_total": "Rises: look for `attempt failed` in the log",
    "hookline_handler_overdue_total": "Above 0: give the calls of the handler a time-out of their own, and do not catch "
    "CancelledError",
    "hookline_handler_blocked_loop_total": "Above 0: the handler must await, or be a plain def",
    "hookline_groups_recreated_total": "Above 0: Redis was flushed, or a failover lost data",
    "hookline_bodies_gone_total": "Above 0: something deletes or trims Hookline's streams; those events are lost",
    "hookline_fenced_total": "Rare, after a pause of a process: normal. Often: processors pause for longer than "
    "PROCESSOR_LEASE_S",
    "hookline_partitions": "Above the sum of hookline_partitions_owned: some partitions have no owner, and their events wait",
    "hookline_partitions_owned": "0 for long, with several processors: there are more processors than partitions",
    "hookline_backlog_events": "Grows: events arrive faster than they are processed. The same in every processor",
    "hookline_oldest_event_seconds": "Rises with a small backlog: its partition has no owner, or its topic is paused. With a "
    "large one: start more processors",
    "hookline_retrying_events": "Rises: handlers fail, or ask for RetryLater. For this processor only: add up all processors",
    "hookline_waiting_events": "By reason: time, a retry or RetryLater; breaker, a destination is down; pause, see "
    "`hookline pause list`; kind, a kind without a handler; account, messages that "
    "Twilio does not take now. For this processor only: add up all processors",
    "hookline_pending_events": "Near the backlog: handlers are the bottleneck. The same in every processor",
    "hookline_forwarded_total": "away, failed: the app of a forward is down, or refuses webhooks, see docs/forwarding.md. "
    "unfit: it answers what cannot be sent",
    "hookline_messages_total": "doubt rises: answers of Twilio are lost; each is looked for. repeated: Twilio did not "
    "list it. refused, opted_out, unfit, unknown: `hookline dead list`",
    "hookline_messages_in_doubt": "Rises: requests to Twilio are cut. For this processor only: add up all processors",
    "hookline_closed_accounts": "Above 0: set or correct the credentials; see the runbook, messages-held",
    "hookline_dead_events": "Rises: run `hookline dead list`. The same in every processor",
    "hookline_ledger_events_total": "stripped or set_aside: the database refused data; the log says which",
    "hookline_ledger_waiting_events": "Grows: the database is down or slow. For this processor only",
    "hookline_ledger_batch_seconds": "Rises: the database is slow. At DATABASE_COMMAND_TIMEOUT_S a batch is repeated",
    "hookline_ledger_removed_total": "Does not grow although LEDGER_RETENTION_DAYS is set: read the log of the processor that "
    "owns partition 0",
    "hookline_database_pool_connections": "waiting above 0: raise DATABASE_POOL_SIZE, or find out why the database is slow",
    "hookline_database_connections_total": "Many created and closed: something on the way to the database closes connections",
    "hookline_redis_operation_seconds": "Rises: Redis, its disk or its network is slow. Responses wait for append",
    "hookline_redis_up": "0: /readyz?verbose says why",
    "hookline_redis_pool_connections": "waiting above 0 for long: raise REDIS_POOL_SIZE, or find out why Redis is slow",
    "hookline_redis_connections_total": "failed rises: Redis or the network closes connections",
    "hookline_redis_data_at_risk": "1: configure Redis as docs/redis.md says",
    "hookline_redis_replicas": "Lower than the number of replicas: a failover would lose what is not replicated",
    "hookline_redis_replica_lag_bytes": "Grows: the replica cannot keep up, and a failover would lose that much",
    "hookline_breaker_state": "2: restore the service that the breaker is named after; the breaker closes by itself",
    "hookline_breaker_transitions_total": "Opens again and again: that service is overloaded rather than down",
    "hookline_tasks": "Grows and never falls: report it",
    "hookline_loop_lag_seconds": "Above 0.25: a handler blocks the loop, or the machine has too little CPU",
    "hookline_unclaimed_events_total": "Rises: a master of the cluster is away or slow; copies of a captured webhook may pass",
    "hookline_log_lines_dropped_total": "Rises: what reads the log is gone or too slow, or its disk is full; see docs/logs.md",
    "hookline_events_total": "Compare accepted with done and dead: what arrives and what is settled. retry: another attempt is "
    "scheduled",
    "hookline_alert": "1: see docs/alerts.md, and the section of the alert in docs/runbook.md",
    "hookline_alert_posts_total": "failed rises: ALERT_URL is wrong or cannot be reached",
}
"""By the name of the metric."""
